"""What docs/real-cases.md says in words; all of its numbers are the table's."""

HEAD = """# Real cases

What a plan says on real data, and whether it holds on rows that it never saw. Generated from `results/real_cases.csv` by `python -m docs.make_cases`.

**How.** The rows of a case are cut into two stratified halves. A plan (`softwidth.plan`) gets one half, 60 % of it for students, 30 % to choose by; features too are learned from this half alone.
Then *new* students, of seeds that the plan never trained, learn from the same rows at every width that the plan tried, with the step sizes that it chose, and answer
for the other half. On their mistakes the least widths, the saving and the gain are determined again, by the same rule. The rules below were
written before these runs, those for the gain and the guess on 2026-11-30; earlier runs had found faults of the planner ([log](LOG.md)) that are mended. Step sizes are the plan's on both sides: a badly chosen one would not be seen here.

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
    "digits": """**What it means.** On clean data with a few hundred rows, the teacher's few mistakes weigh more than its softness: use the labels that you have. The plan's single-width
difference was larger on its own rows than on the other half, as differences are that step sizes were chosen on; its interval of the saving was wide enough not to be taken in.""",
    "digits-noise": """**What it means.** Noise alone does not make soft labels pay. A cross-fitted teacher has only four fifths of the students' own few rows, and the students that learn from the true labels come to know more than it.
Where soft labels pay under the same noise (README), the teacher has learned from many *other* rows.""",
    "mnist": """**What it means.** The same as with noise, seen more faintly: on its 600 rows the plan could not rule out a saving of 1, the 2,000 rows of the other half could. A plan that says that it cannot tell is not one that says that there is no difference.""",
    "mnist-noise": """**What it means.** As with digits, and with better grounds: the teacher that saw four fifths of 1,200 noisy rows is wrong more often than the students that it teaches, the plan names it as the reason, and the other
half agrees. The advice is to get a better teacher, not to give up soft labels.""",
    "chaosnli-kl": """**What it means.** To predict what people will say, votes are the better lesson at equal width, on both halves. But it is a small gain, and hard labels come near once their step size is chosen for
divergence: the first version of this case said that soft labels save fivefold, and the other half *confirmed* it, since the step sizes of hard labels had been chosen badly on both (see the log). Another half does not see a mistake that both share.""",
    "chaosnli": """**What it means.** Bag-of-words sentence vectors hardly tell whether one sentence follows from another, and the plan says so before anything else. Neither labels nor width help there; other features do.""",
    "cifar10h-kl": """**What it means.** The plan decides by least widths, and at its widest students neither kind has stopped improving, so that it sees no saving. At equal width votes are the better lesson, by the same amount on both halves (the line *hard minus soft*): who
wants people's shares should take votes and a wide student. That the advice calls this *no measurable difference*, and counts mistakes in its reason, is a weakness of the advice.""",
    "cifar10h": """**What it means.** Nineteen of twenty votes fall on one class, and by mistakes nothing is gained. Hard labels and the votes' top class are the same labels here, so what parts their two lines is the chance of rounding and of chosen step sizes: the size of what
should not be read into such a table.""",
    "boosting-cancer": """**What it means.** With 85 rows to choose by, one mistake is more than the tolerance; the plan says that it cannot tell, and intervals that reach from one end of the widths to the other are the honest answer. Collect rows, or accept any narrow student.""",
    "boosting-digits": """**What it means.** Boosted trees on four fifths of 539 rows are wrong almost twice as often as the students that learn from the labels; the plan names this, though its interval just reaches 1. A teacher is worth its labels only where it knows more than the student will.""",
}

SOURCES = """## Data
Digits and the breast cancer table come with scikit-learn. MNIST, the images of CIFAR-10 (JPEG copies), CIFAR-10H (Peterson and others 2019, CC BY-NC-SA 4.0; `cifar10h-counts.npy`) and ChaosNLI (Nie, Zhou and Bansal 2020, CC BY-NC 4.0;
`chaosNLI_snli.jsonl`, `chaosNLI_mnli_m.jsonl`) are read from `$SOFTWIDTH_DATA`; the latter two are for non-commercial use. Sentence vectors are made by WordLlama (MIT), whose weights are in its wheel: `pip install wordllama`.
Features of images: 6 x 6 patches, whitened, clustered into 256, an image's nearness to each summed over its quarters (Coates, Lee and Ng 2011), then 256 principal directions (`softwidth/patch_features.py`).
"""
