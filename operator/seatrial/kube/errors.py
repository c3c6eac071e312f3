"""What can go wrong with a call to the API server, by what the caller can do about it."""


class ApiFailure(Exception):  # noqa: N818 # its kinds are named for what went wrong, as the API names them
    """Any failure of a call; `message` is the server's sentence, or ours where the server didn't answer."""

    def __init__(self, message: str, *, reason: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.reason = reason


class NotFound(ApiFailure):
    """The object, its namespace or its kind isn't there."""


class Conflict(ApiFailure):
    """Somebody else wrote first: look again."""


class AlreadyExists(Conflict):
    """An object of that name is there."""


class Forbidden(ApiFailure):
    """We may not do that: a missing RoleBinding, a quota, or a policy of the namespace."""


class Terminating(Forbidden):
    """The namespace is being deleted: nothing new can be made there."""


class Invalid(ApiFailure):
    """The server refuses the content: repeating it changes nothing."""


class Throttled(ApiFailure):
    """Too many calls: later."""


class Unavailable(ApiFailure):
    """No answer, no answer in time, or one that says that the server is in trouble: later."""


class Unconfigured(Unavailable):
    """Nobody said where the API server is: no kubeconfig, no such context, or one that can't be read."""


class NameTaken(ApiFailure):
    """An object of a name that we need is there, and it isn't ours. It is left alone."""

    def __init__(self, kind: str, namespace: str, name: str) -> None:
        super().__init__(f"{kind} {namespace}/{name} exists and isn't Seatrial's: rename the MeshService or delete it")
        self.kind = kind
        self.namespace = namespace
        self.name = name


_BY_CODE: dict[int, type[ApiFailure]] = {
    400: Invalid,
    401: Forbidden,
    403: Forbidden,
    404: NotFound,
    405: Invalid,
    409: Conflict,
    410: NotFound,
    413: Invalid,
    415: Invalid,
    422: Invalid,
    429: Throttled,
}


def failure(code: int, message: str, *, reason: str = "", causes: tuple[str, ...] = ()) -> ApiFailure:
    """The typed error of an HTTP status code, with the reason and the causes that the server gave."""
    kind = _BY_CODE.get(code, Unavailable)
    if reason == "AlreadyExists":
        kind = AlreadyExists
    elif kind is Forbidden and "NamespaceTerminating" in causes:
        kind = Terminating
    return kind(message, reason=reason)
