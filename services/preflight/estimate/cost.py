"""What a run costs: hours of accelerators at list prices, or tokens at a hosted provider's."""

from collections.abc import Mapping
from dataclasses import dataclass

from tunesmith.preflight.v1 import estimate_pb2

from services.preflight.devices import AcceleratorSpec

CURRENCY = "USD"
_HOUR_S, _MILLION = 3600, 1_000_000


@dataclass(frozen=True)
class TokenPrice:
    """What a hosted provider asks for training a model."""

    usd_per_million_tokens: float
    # The month of the list: `2026-11`.
    month: str
    # Asked for whatever the run's size.
    minimum_usd: float = 0.0


def device_cost(spec: AcceleratorSpec | None, device_count: int, seconds: float) -> estimate_pb2.Cost | None:
    """Of accelerators that are rented for so long; None where no list has one, or for hardware of one's own."""
    if spec is None or spec.price is None:
        return None
    hours = device_count * seconds / _HOUR_S
    noun = f"GPU hours on {spec.name}"
    detail = f"{hours:.2f} {noun} at {spec.price.usd_per_hour:.2f} {CURRENCY} ({spec.price.detail})"
    return estimate_pb2.Cost(amount=hours * spec.price.usd_per_hour, currency=CURRENCY, detail=detail)


def hosted_cost(prices: Mapping[str, TokenPrice], model: str, tokens: float, epochs: int) -> estimate_pb2.Cost | None:
    """Tokens of the dataset times epochs times the price; None for a model that the provider does not list.

    `prices` by the model's name as the provider writes it.
    """
    price = prices.get(model)
    if price is None:
        return None
    trained = tokens * epochs
    amount = max(price.minimum_usd, trained / _MILLION * price.usd_per_million_tokens)
    detail = (
        f"{tokens:,.0f} tokens × {epochs} epochs at {price.usd_per_million_tokens:.2f} {CURRENCY} a million "
        f"(list price of {price.month})"
    )
    if amount == price.minimum_usd and price.minimum_usd > 0:
        detail += f", at least {price.minimum_usd:.2f} {CURRENCY}"
    return estimate_pb2.Cost(amount=amount, currency=CURRENCY, detail=detail)
