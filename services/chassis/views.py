"""The JSON of a service's API: names in camelCase there, as Python has them here."""

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel


class View(BaseModel):
    """JSON names are in camelCase."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True)


class Request(View):
    """What nobody asked for is refused."""

    model_config = ConfigDict(extra="forbid")
