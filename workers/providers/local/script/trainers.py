"""What trl's own trainers do not do: rows that share sequences or batches, texts in pieces, pairs that say nothing left out."""

from workers.providers.local.plan import TrainingPlan
from workers.providers.local.script.code import lines

_PREPARED = '''\
    def _prepare_dataset(self, dataset, processing_class, args, packing, formatting_func, dataset_name):
        """Rows of tokens{what}."""
'''
_WHOLE_ROWS = """\
        rows = super()._prepare_dataset(dataset, processing_class, args, False, formatting_func, dataset_name)
"""
_PIECES = """\
        whole = copy.copy(args)
        whole.max_length = None
        texts = super()._prepare_dataset(dataset, processing_class, whole, False, formatting_func, dataset_name)
        rows = texts.map(split, fn_kwargs={"length": args.max_length}, batched=True, remove_columns=texts.column_names)
"""
_PACK = """\
        if packing:
            rows = pack_dataset(rows.select_columns(["input_ids", "labels"]), args.max_length, "bfd", {"keep_in_memory": True})
"""

_SPLIT = '''\
def split(batch, length):
    """Long texts as rows: each begins with the last token of the one before, which it does not count."""
    rows = [
        tokens[start : start + length]
        for tokens in batch["input_ids"]
        for start in range(0, max(len(tokens) - 1, 0), length - 1)
    ]
    return {"input_ids": rows, "labels": [[-100, *row[1:]] for row in rows]}'''

_GROUPED = '''\
class LengthGroups(LengthGroupedSampler):
    """Rows of about the same length share a batch, in an order that the seed and the epoch decide."""

    def __init__(self, args, lengths):
        super().__init__(args.train_batch_size * args.gradient_accumulation_steps, lengths=lengths)
        self.seed, self.epoch = args.seed, 0

    def set_epoch(self, epoch):
        self.epoch = epoch

    def __iter__(self):
        draw = torch.Generator().manual_seed(self.seed + self.epoch)
        return iter(get_length_grouped_indices(self.lengths, self.batch_size, generator=draw))'''
_GROUPED_SAMPLER = """\
    def _get_train_sampler(self, train_dataset=None):
        return LengthGroups(self.args, [len(tokens) for tokens in self.train_dataset["input_ids"]])"""

_WITHIN_DOCUMENTS = '''\
class DocumentCollator(DataCollatorForLanguageModeling):
    """One sequence of all rows of a batch, and how long each is."""

    def torch_call(self, examples):
        batch = super().torch_call(examples)
        batch["document_lengths"] = tuple(batch["cu_seq_lens_q"].diff().tolist())
        return batch


def attend_within_documents(
    module, query, key, value, attention_mask, dropout=0.0, scaling=None, document_lengths=None, sliding_window=None, **others
):
    """torch's attention, one row at a time: rows that share a sequence don't see each other."""
    lengths = list(document_lengths)
    rows = zip(query.split(lengths, dim=2), key.split(lengths, dim=2), value.split(lengths, dim=2), strict=True)
    attended = []
    for row in rows:
        seen, length = None, row[0].shape[2]
        if sliding_window is not None and length > sliding_window:
            seen = torch.ones(length, length, dtype=torch.bool, device=query.device).tril().triu(1 - sliding_window)[None, None]
        attended.append(sdpa_attention_forward(module, *row, seen, dropout=dropout, scaling=scaling, is_causal=True)[0])
    return torch.cat(attended, dim=1), None


AttentionInterface.register("within_documents", attend_within_documents)'''
_COLLATED = """\
    def __init__(self, **arguments):
        super().__init__(**arguments)
        self.data_collator = DocumentCollator(pad_token_id=self._tokenizer.pad_token_id, padding_free=True)"""

_PAIRS = '''\
class Trainer(DPOTrainer):
    """trl's trainer, without pairs whose answers begin behind the ceiling or are the same up to it."""

    def _prepare_dataset(self, dataset, processing_class, args, dataset_name):
        pairs = super()._prepare_dataset(dataset, processing_class, args, dataset_name)

        def tells(prompt, chosen, rejected):
            left = args.max_length - len(prompt)
            return left > 0 and chosen[:left] != rejected[:left]

        columns = ["prompt_ids", "chosen_ids", "rejected_ids"]
        return pairs.select_columns(columns).filter(tells, input_columns=columns)'''
_NO_REFERENCE = '''\
class NoReference(torch.nn.Module):
    """For which every token is certain: answers are compared by the model's own likelihoods alone."""

    def __init__(self, config):
        super().__init__()
        self.config = config

    def forward(self, input_ids, **others):
        return SimpleNamespace(log_probs=torch.zeros_like(input_ids[:, 1:], dtype=torch.float32))'''


def packs(plan: TrainingPlan) -> bool:
    """Whether rows share sequences."""
    return bool(plan.trainer.get("packing"))


def groups(plan: TrainingPlan) -> bool:
    """Whether rows of about the same length share a batch."""
    return plan.trainer.get("train_sampling_strategy") == "group_by_length"


def classes(plan: TrainingPlan, *, pairs: bool, pieces: bool) -> list[str]:
    """What the script defines before `Trainer`, and that class; nothing where trl's own does all."""
    if pairs:
        return [*([_NO_REFERENCE] if plan.objective.get("reference_free") else []), _PAIRS]
    if not (packs(plan) or groups(plan) or pieces):
        return []
    methods = [_COLLATED] if packs(plan) else []
    if packs(plan) or pieces:
        methods.append(_prepare(plan, pieces=pieces))
    methods += [_GROUPED_SAMPLER] if groups(plan) else []
    head = 'class Trainer(SFTTrainer):\n    """trl\'s trainer, which gets its rows in another way."""'
    trainer = "\n\n".join([head, *methods])
    return [
        *([_SPLIT] if pieces else []),
        *([_WITHIN_DOCUMENTS] if packs(plan) else []),
        *([_GROUPED] if groups(plan) else []),
        trainer,
    ]


def imports(plan: TrainingPlan, *, pairs: bool) -> tuple[list[str], list[str]]:
    """Names of transformers, and whole lines for what lies deeper in the libraries."""
    names, deeper = [], []
    if packs(plan) and not pairs:
        names.append("AttentionInterface")
        deeper.append("from transformers.integrations.sdpa_attention import sdpa_attention_forward")
    if groups(plan) and not pairs:
        deeper.append("from transformers.trainer_pt_utils import LengthGroupedSampler, get_length_grouped_indices")
    return names, deeper


def _prepare(plan: TrainingPlan, *, pieces: bool) -> str:
    what = "".join((", long texts in pieces" if pieces else "", ", several in a sequence" if packs(plan) else ""))
    return lines(
        _PREPARED.replace("{what}", what)
        + (_PIECES if pieces else _WHOLE_ROWS)
        + (_PACK if packs(plan) else "")
        + "        return rows"
    )
