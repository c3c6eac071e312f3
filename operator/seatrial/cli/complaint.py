"""What a user is told in place of a traceback, and how each failure of the API becomes such a sentence."""

from seatrial.kube.errors import ApiFailure, Conflict, Forbidden, NotFound, Unavailable, Unconfigured

INSTALL = "helm upgrade --install seatrial charts/seatrial -n seatrial-system --create-namespace"


class Complaint(Exception):  # noqa: N818 # it is told to a user, and nothing here is in error
    """One line: what is wrong, and what to do about it."""

    def __init__(self, what: str, remedy: str) -> None:
        super().__init__(f"{what}; {remedy}")


def complaint(failure: ApiFailure, *, server: str = "", about: str = "") -> Complaint:
    """The sentence for a failed call. `server` is the API server's address, `about` what was asked for."""
    match failure:
        case Unconfigured():
            what = f"no cluster to talk to: {failure.message}"
            remedy = "see `kubectl config get-contexts`, name one with --context, or begin with `make cluster-up`"
        case Unavailable():
            what = f"the API server at {server} doesn't answer ({failure.message.removeprefix('the API server: ')})"
            remedy = (
                "is the cluster up (`make cluster-up`), and is it the right one (`kubectl config current-context`)?"
            )
        case Forbidden() if failure.message == "Unauthorized":
            what = f"the API server at {server} doesn't know you"
            remedy = "renew the credentials in the kubeconfig"
        case Forbidden():
            what, remedy = failure.message, "ask whoever runs the cluster for the right"
        case NotFound():
            what = f"the cluster at {server} doesn't know {about or failure.message}"
            remedy = f"install Seatrial there: {INSTALL}"
        case Conflict():
            what, remedy = failure.message, "settle who sets it, or take it with --force"
        case _:
            what, remedy = failure.message, "see what the API server says with `kubectl get events -A`"
    return Complaint(what, remedy)
