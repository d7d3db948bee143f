"""Other tools' ways to call two lists of times different, written from their published descriptions.

Each takes the runs of A's and of B's processes (lists of lists, in the order of time) and says whether it would tell the
user of a difference. They measure one program after the other, so A's come from the first processes, B's from the later.
"""
import itertools
import math
import statistics


def flat(groups):
    return list(itertools.chain.from_iterable(groups))


def mean_of(count, threshold=0.03):
    """speed_benchmark_torch's figure, read as people read it: the means of the first `count` runs, over 3 % apart."""

    def differ(a, b):
        means = [statistics.fmean(flat(groups)[:count]) for groups in (a, b)]
        return abs(means[1] / means[0] - 1) > threshold

    return differ


def hyperfine(a, b):
    """hyperfine's summary "1.02 +- 0.01 times faster": the ratio of the means with the deviations of the runs carried
    through the quotient; a difference where 1 lies outside."""
    means = [statistics.fmean(flat(groups)) for groups in (a, b)]
    shares = [statistics.stdev(flat(groups)) / mean for groups, mean in zip((a, b), means)]
    ratio = means[1] / means[0]
    return abs(ratio - 1) > ratio * math.hypot(*shares)


def mann_whitney_p(a, b):
    """Two-sided p of the U test, by the normal approximation with corrections for ties and continuity."""
    pool = sorted((value, group) for group, values in enumerate((a, b)) for value in values)
    rank_sum, ties, at = 0.0, 0.0, 0
    while at < len(pool):
        end = at
        while end < len(pool) and pool[end][0] == pool[at][0]:
            end += 1
        rank = (at + 1 + end) / 2
        rank_sum += rank * sum(1 for _, group in pool[at:end] if group == 0)
        ties += (end - at) ** 3 - (end - at)
        at = end
    n, m = len(a), len(b)
    total = n + m
    u = rank_sum - n * (n + 1) / 2
    variance = n * m / 12 * (total + 1 - ties / (total * (total - 1)))
    if variance <= 0:
        return 1.0
    z = max(0.0, abs(u - n * m / 2) - 0.5) / math.sqrt(variance)
    return math.erfc(z / math.sqrt(2))


def compare_py(a, b, repetitions=9, alpha=0.05):
    """google-benchmark's compare.py: the U test on `repetitions` means of consecutive runs in one process each."""

    def means(groups):
        runs = groups[0]
        size = max(1, len(runs) // repetitions)
        return [statistics.fmean(runs[i * size:(i + 1) * size]) for i in range(min(repetitions, len(runs) // size))]

    return mann_whitney_p(means(a), means(b)) < alpha


JUDGES = {
    "mean of 10, over 3 % (speed_benchmark_torch)": mean_of(10),
    "mean of 100, over 3 %": mean_of(100),
    "hyperfine's ratio and its deviation": hyperfine,
    "google-benchmark compare.py, U test, 9 repetitions": compare_py,
}


def self_test():
    # The example of scipy's manual: mannwhitneyu(males, females, method="asymptotic") gives 0.11134688653314041.
    males, females = [19, 22, 16, 29, 24], [20, 11, 17, 12]
    assert abs(mann_whitney_p(males, females) - 0.11134688653314041) < 1e-12
    assert mann_whitney_p([1, 1, 1], [1, 1, 1]) == 1.0
    assert mean_of(2)([[100, 100, 500]], [[104, 104]]) and not mean_of(2)([[100, 100]], [[102, 102]])
    assert hyperfine([[100, 101]], [[110, 111]]) and not hyperfine([[100, 110]], [[103, 112]])
    assert compare_py([[100 + i for i in range(18)]], [[200 + i for i in range(18)]])
    assert not compare_py([[100 + i % 3 for i in range(18)]], [[100 + i % 3 for i in range(18)]])


if __name__ == "__main__":
    self_test()
    print("ok")
