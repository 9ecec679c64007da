"""Which columns the rows of each dataset format need: uploads are held to them, and jobs checked against them."""

from collections.abc import Mapping

from tunesmith.registry.v1 import dataset_pb2

# In this order: rows of preference pairs may also have conversations, rows of messages a text beside them, and rows of texts and
# labels are rows of texts, too.
REQUIRED_COLUMNS: Mapping[dataset_pb2.DatasetFormat, tuple[str, ...]] = {
    dataset_pb2.DATASET_FORMAT_PREFERENCE: ("chosen", "rejected"),
    dataset_pb2.DATASET_FORMAT_MESSAGES: ("messages",),
    dataset_pb2.DATASET_FORMAT_SHAREGPT: ("conversations",),
    dataset_pb2.DATASET_FORMAT_ALPACA: ("instruction", "output"),
    dataset_pb2.DATASET_FORMAT_PROMPT_COMPLETION: ("prompt", "completion"),
    dataset_pb2.DATASET_FORMAT_IMAGE_LABEL: ("image", "label"),
    dataset_pb2.DATASET_FORMAT_IMAGE_CAPTION: ("image", "caption"),
    dataset_pb2.DATASET_FORMAT_INTERACTIONS: ("user_id", "item_id"),
    dataset_pb2.DATASET_FORMAT_TEXT_LABEL: ("text", "label"),
    dataset_pb2.DATASET_FORMAT_TEXT: ("text",),
}
