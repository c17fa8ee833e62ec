"""What docs/real-cases.md says in words; all of its numbers are the table's."""

HEAD = """# Real cases

What a plan says on real data, and whether it holds on rows that it never saw. Generated from `results/real_cases.csv` by `python -m docs.make_cases`.

**How.** The rows of a case are cut into two stratified halves. A plan (`softwidth.plan`) gets one half, 60 % of it for students, 30 % to choose by; features too are learned from this half alone.
Then *new* students, of seeds that the plan never trained, learn from the same rows at every width that the plan tried, with the step sizes that it chose, and answer
for the other half. On their mistakes the least widths and the saving are determined again, by the same rule. The rules below were written before the runs.

- The advice is **confirmed** where both halves say the same of *soft*, *hard* or *no measurable difference* (the interval of the saving lies above 1, below 1, or covers 1), **contradicted** where they say the opposite,
  **not confirmed** where the plan saw a difference and the other half cannot tell, and a difference is **missed** where only the other half sees it.
- A least width or a saving **holds** where the other half's estimate lies in the plan's 95 % interval.
- What following the advice costs: the loss of the students at the plan's least width above the best of any label kind on the other half, beside the tolerance.
"""

MEANS: dict[str, str] = {}

SOURCES = """## Data
Digits and the breast cancer table come with scikit-learn. MNIST, the images of CIFAR-10 (JPEG copies), CIFAR-10H (Peterson and others 2019, CC BY-NC-SA 4.0; `cifar10h-counts.npy`) and ChaosNLI (Nie, Zhou and Bansal 2020, CC BY-NC 4.0;
`chaosNLI_snli.jsonl`, `chaosNLI_mnli_m.jsonl`) are read from `$SOFTWIDTH_DATA`; the latter two are for non-commercial use. Sentence vectors are made by WordLlama (MIT), whose weights are in its wheel: `pip install wordllama`.
Features of images: 6 x 6 patches, whitened, clustered into 256, an image's nearness to each summed over its quarters (Coates, Lee and Ng 2011), then 256 principal directions (`scripts/patch_features.py`).
"""
