"""The language of the fraud rules: who runs the shop changes them while it runs, and nobody deploys anything.

::

    # The first rule that holds decides; where none does, the charge is allowed.
    rule friends: allow when customer in ["ada", "grace"]
    rule too-fast: deny when charges_last_hour >= 10 because "too many charges in an hour"
    rule first-and-dear: deny when first_charge and amount > 2000.00 EUR

``grammar.lark`` is the syntax, ``syntax`` the tree, ``reading`` makes the tree and checks its types, ``writing`` turns
it into text again, ``judging`` evaluates it. There are no loops, no calls, no arithmetic and no patterns: a rule costs
as many steps as it has words, and can reach nothing but the facts it is given.
"""
