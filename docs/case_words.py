"""What docs/real-cases.md says in words; all of its numbers are the table's."""

HEAD = """# Real cases

What a plan says on real data, and whether it holds on rows that it never saw. Generated from `results/real_cases.csv` by `python -m docs.make_cases`.

**How.** The rows of a case are cut into two stratified halves. A plan (`softwidth.plan`) gets one half, 60 % of it for students, 30 % to choose by; features too are learned from this half alone.
Then *new* students, of seeds that the plan never trained, learn from the same rows at every width that the plan tried, with the step sizes that it chose, and answer
for the other half. On their mistakes the least widths, the saving and the gain are determined again, by the same rule. The rules below were
written before these runs, those for the gain and the guess on 2026-11-30; earlier runs had found faults of the planner ([log](LOG.md)) that are mended. Step sizes are the plan's on both sides: a badly chosen one need not be seen here.

- The advice is **confirmed** where both halves say the same of *soft*, *hard* or *no measurable saving* (the interval of the saving lies above 1, below 1, or covers 1), **contradicted** where they say the opposite,
  **not confirmed** where the plan saw a difference and the other half cannot tell, and a difference is **missed** where only the other half sees it.
- The **gain** is how much less soft labels lose than hard ones at equal width, on average over the tried widths. It is judged by the same words: *soft* or *hard* is better where the interval leaves out 0 and the estimate is
  more than the tolerance, which is when a plan tells it; otherwise there is *no difference that matters*. So a gain near the tolerance may be told by one half only.
- A least width, a saving or a gain **holds** where the other half's estimate lies in the plan's 95 % interval.
- The **guess** of the saving before any training holds where the plan's measured saving lies in its 95 % interval; a saving that is a bound counts as what it is at least. Plans by divergence make none.
  It was fitted to savings measured on other rows and tasks of these same sources ([robustness](findings.md#robustness)), so that it is no guess about new kinds of data here.
- What following the advice costs: the loss of the students at the plan's least width above the best of any label kind on the other half, beside the tolerance.
"""

MEANS: dict[str, str] = {
    "digits": """**What it means.** On clean data with a few hundred rows, the teacher's few mistakes weigh more than its softness: use the labels that you have. The plan cannot tell a saving, but it tells a gain of hard labels
at equal width. The other half estimates nearly as much, within the plan's interval, yet its own ten students a width leave 0 possible: not confirmed, and not refuted. At the one width where the plan would compare them
the difference shrank to a third, as single differences do that step sizes were chosen on; the mean over the widths did not.""",
    "digits-noise": """**What it means.** Noise alone does not make soft labels pay. A cross-fitted teacher has only four fifths of the students' own few rows, and the students that learn from the true labels come to know more than it; the plan names this.
At equal width they are ahead on both halves. Where soft labels pay under the same noise (README), the teacher has learned from many *other* rows.""",
    "mnist": """**What it means.** The same as with noise, seen more faintly: on its 600 rows the plan could not rule out a saving of 1, the 2,000 rows of the other half could. A plan that says that it cannot tell is not one that says that there is no difference.
At equal width both halves put hard labels ahead by the same amount, less than the tolerance: where curves are flat, a loss that hardly matters is many neurons. One badly chosen step size (the peak at width 22 in the figure) takes a third of that lead on the other half. The guess before training pointed the other way.""",
    "mnist-noise": """**What it means.** As with digits, and with better grounds: the teacher that saw four fifths of 1,200 noisy rows is wrong more often than the students that it teaches, the plan names it as the reason, and the other
half agrees. The advice is to get a better teacher, not to give up soft labels. The guess before training, which had seen that teacher's quality, expected soft labels to save.""",
    "chaosnli-kl": """**What it means.** To predict what people will say, votes are the better lesson at equal width: the plan says so, nearly all of it by softness, and the other half finds the same. But it is a small gain, just above the tolerance, and hard labels come near once their
step size is chosen for divergence: the first version of this case said that soft labels save fivefold, and the other half *confirmed* it, since the step sizes of hard labels had been chosen badly on both (see the log). Another half does not see a mistake that both share.""",
    "chaosnli": """**What it means.** Bag-of-words sentence vectors hardly tell whether one sentence follows from another, and the plan says so before anything else. Neither labels nor width help there; other features do.""",
    "chaosnli-kl-bias": """**What it means.** Trained biases do what the constant column did, and at once: two neurons are within the tolerance of the best, yet hardly better than the constant answer, so that these least widths say little. Hard labels take the smallest
step size that a plan tries, and the plan does not say so. At width 8 they take a large one instead, at which nearly all neurons have died and the output bias answers like the constant; new students of that step size can be far off, which puts the other half's gain outside the plan's interval and makes its own wide: a gain
over all widths is as good as the worst chosen step size. The plan's reason counts mistakes, though it judges by divergence. In the first run of this case students with biases were looked at without them, and came out worse than the constant answer: a fault of the planner that is mended ([log](LOG.md)).""",
    "cifar10h-kl": """**What it means.** At its widest students neither kind has stopped improving, so that a saving cannot be seen. At equal width votes are the better lesson, nearly all of it by softness: the plan says so, and the other half finds the same. Who
wants people's shares should take votes and a wide student.""",
    "cifar10h": """**What it means.** Nineteen of twenty votes fall on one class, and by mistakes next to nothing is gained: on the other half a quarter of the tolerance. Hard labels and the votes' top class are the same labels here, so what parts their two lines is the chance of rounding and of chosen step sizes: the size of what
should not be read into such a table.""",
    "boosting-cancer": """**What it means.** With 85 rows to choose by, one mistake is more than the tolerance; the plan says that it cannot tell, and intervals that reach from one end of the widths to the other are the honest answer. At equal width nothing can be told either. Collect rows, or accept any narrow student.""",
    "boosting-digits": """**What it means.** Boosted trees on four fifths of 539 rows are wrong almost twice as often as the students that learn from the labels; the plan names this, though its interval of the saving just reaches 1. At equal width
it is sure, and the other half agrees: the gain tells what the least widths were too coarse for. A teacher is worth its labels only where it knows more than the student will.""",
}

SOURCES = """## Data
Digits and the breast cancer table come with scikit-learn. MNIST, the images of CIFAR-10 (JPEG copies), CIFAR-10H (Peterson and others 2019, CC BY-NC-SA 4.0; `cifar10h-counts.npy`) and ChaosNLI (Nie, Zhou and Bansal 2020, CC BY-NC 4.0;
`chaosNLI_snli.jsonl`, `chaosNLI_mnli_m.jsonl`) are read from `$SOFTWIDTH_DATA`; the latter two are for non-commercial use. Sentence vectors are made by WordLlama (MIT), whose weights are in its wheel: `pip install wordllama`.
Features of images: 6 x 6 patches, whitened, clustered into 256, an image's nearness to each summed over its quarters (Coates, Lee and Ng 2011), then 256 principal directions (`softwidth/patch_features.py`).
"""
