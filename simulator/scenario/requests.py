"""How many requests a connection carries, as a scenario file says it: the grammar of `requests`."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import Field, model_validator

from simulator.scenario.fields import Mapping, about, exactly_one

MAX_REQUESTS_EACH: Final = 10_000

RequestNumber = Annotated[int, Field(ge=0, le=MAX_REQUESTS_EACH, strict=True)]


class RequestRange(Mapping):
    """Every whole number from one to another is as likely."""

    from_: RequestNumber = Field(alias="from", description="fewest requests")
    to: RequestNumber = Field(description="most requests")

    @model_validator(mode="after")
    def _in_order(self) -> RequestRange:
        if self.from_ > self.to:
            raise about("from", "is more than `to`; it is the wrong way round")
        return self


class Requests(Mapping):
    """How many requests a connection carries: `3` alone means always so many."""

    constant: RequestNumber | None = Field(default=None, description="always so many")
    geometric: Annotated[float, Field(ge=1, le=1000, strict=True)] | None = Field(
        default=None,
        description=(
            "so many on average and at least one, each as likely to be the last; at most "
            f"{MAX_REQUESTS_EACH:,}"
        ),
    )
    uniform: RequestRange | None = Field(default=None, description="any of a range")

    @model_validator(mode="before")
    @classmethod
    def _plain_is_constant(cls, value: object) -> object:
        is_number = isinstance(value, int) and not isinstance(value, bool)
        return {"constant": value} if is_number else value

    @model_validator(mode="after")
    def _exactly_one(self) -> Requests:
        exactly_one(self, ("constant", "geometric", "uniform"))
        return self

    @property
    def mean(self) -> float:
        """Requests of a connection on average."""
        if self.uniform is not None:
            return (self.uniform.from_ + self.uniform.to) / 2
        return float(self.constant or 0) if self.geometric is None else self.geometric
