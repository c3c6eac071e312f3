"""Sequential tests of whether one revision is worse than another: pure numbers, good at any moment one looks.

**Setting.** A block is what ended between two looks: n_c requests of the canary, k_c of them bad, n_s and k_s of
stable. *Assumption*: given the past and the n's, requests of a block fail independently, with probabilities that may
differ between requests and drift in any way, for instance with an outage that both arms share. c and s are their means
over the block's requests of each arm; only these are compared.

**Worse by more than d?** For any x and y = x + d and any stake h >= 0 that depend on the past and the n's only, with
n_c g_c = n_s g_s = h and all four factors >= 0, let

    S = (1 + g_c (1 - y))^k_c (1 - g_c y)^(n_c - k_c) (1 - g_s (1 - x))^k_s (1 + g_s x)^(n_s - k_s).

*Theorem.* If c - s <= d in every block, the product of the S is a non-negative supermartingale that begins at 1, so
with probability 1 - alpha it never reaches 1 / alpha, whenever and however often one looks.
*Proof.* By independence and the inequality of arithmetic and geometric means,
E[S] <= (1 + g_c (c - y))^n_c (1 - g_s (s - x))^n_s <= exp(h (c - y) - h (s - x)) = exp(h (c - s - d)) <= 1, by
1 + z <= exp(z). Then Ville's inequality. With h <= 0 the same holds for the hypothesis c - s >= d. For that one, with
d > 0, a block without requests of stable has the canary's factors alone, at y = d: as s >= 0, it says c >= d, too.

Any mean of such processes with weights fixed beforehand is one too, also if wealth moves between them before a block;
so is any that is made smaller. How x and h are chosen matters for power alone: x is the reverse information projection
of an alternative onto the hypothesis, the alternatives lie on a fixed grid above a forecast of stable's rate, a block's
growth is tempered, and a small part of the wealth is spread anew before each block.

**Above the limit l?** The likelihood ratio of the canary's counts, alternatives on a grid against l. *Theorem* as above
for c <= l in every block that is bet on. Nothing is bet while stable, in this block and of late, isn't seen to keep l
itself; as the arms are independent given their rates, that choice doesn't depend on the canary's luck. A stable that
isn't heard of at all silences nothing.

**Roll back** once the mean of both processes reached 1 / alpha: it is one for "c - s <= d and c <= l". While requests
of one arm wait for the other's, the comparison counts as 0 in it: to leave out what isn't negative only takes away.
**Promote** to weight w when for every objective c - s >= d / w is rejected at alpha. Each objective has to pass, so
each may use the whole promise: one that isn't good enough passes with probability alpha at most, whatever the others
do (Berger 1982). For rollbacks, where one objective suffices, the promise is split (`share`).

Sources: Ville, Étude critique de la notion de collectif (1939); Turner, Ly, Grünwald, Generic E-variables for exact
sequential k-sample tests that allow for optional stopping (2024); Turner, Grünwald, Exact anytime-valid confidence
intervals for contingency tables and beyond (2023); Waudby-Smith, Ramdas, Estimating means of bounded random variables
by betting (2024); Berger, Multiparameter hypothesis testing and acceptance sampling (1982).
"""

from seatrial.stats.checkpoint import dump, load
from seatrial.stats.judge import (
    above_limit,
    allows,
    beyond_margin,
    evidence,
    largest_weight,
    lower,
    passes_limit_over,
    upper,
    worse,
)
from seatrial.stats.placebo import Placebo
from seatrial.stats.plan import Plan, Tuning
from seatrial.stats.spending import share
from seatrial.stats.state import Block, State, begin, observe, take

__all__ = [
    "Block",
    "Placebo",
    "Plan",
    "State",
    "Tuning",
    "above_limit",
    "allows",
    "begin",
    "beyond_margin",
    "dump",
    "evidence",
    "largest_weight",
    "load",
    "lower",
    "observe",
    "passes_limit_over",
    "share",
    "take",
    "upper",
    "worse",
]
