"""What the rules of money refuse."""


class PaymentError(Exception):
    """A rule is broken; the message says which one."""


class UnbalancedEntryError(PaymentError):
    """An entry whose debits and credits differ."""


class OverpaidError(PaymentError):
    """More would be collected than is owed."""


class ImpossibleTransitionError(PaymentError):
    """What is asked of a charge isn't possible in the state in which it is."""


class UnknownEventError(PaymentError):
    """An event that this revision can't read; a newer one has written it."""
