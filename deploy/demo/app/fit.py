"""Survival by treatment arm in ACTG 175: Kaplan-Meier curves and a Cox model, under disclosure rules.

Curves are given on a 60-day grid and only where 10 or more patients are at risk; counts are rounded to 5;
no minimum or maximum leaves; the SVG carries no date and a fixed hash salt, so that equal data give equal bytes.
"""

import csv
import glob
import os

os.environ["MPLCONFIGDIR"] = "/tmp"

import matplotlib

matplotlib.use("svg")
matplotlib.rcParams["svg.hashsalt"] = "cce4long"

import matplotlib.pyplot as plt
import pandas as pd
from lifelines import CoxPHFitter, KaplanMeierFitter

GRID = range(0, 1201, 60)
LEAST_AT_RISK = 10
COVARIATES = ["age", "karnof", "symptom", "cd40"]


def rounded(count):
    return int(5 * round(count / 5))


def curve(fitter, durations):
    """Survival on the grid, ending where fewer than LEAST_AT_RISK patients remain."""
    points = []
    for day in GRID:
        if (durations >= day).sum() < LEAST_AT_RISK:
            break
        points.append((day, round(float(fitter.predict(day)), 2)))
    return points


def main():
    source = glob.glob("/data/*/ACTG175.csv")[0]
    table = pd.read_csv(source)
    rows = []
    figure, axes = plt.subplots(figsize=(7, 5))
    for arm, group in table.groupby("arms"):
        fitter = KaplanMeierFitter().fit(group["days"], group["cens"])
        points = curve(fitter, group["days"])
        axes.step(*zip(*points), where="post", label=f"arm {arm}")
        rows.append(["patients", f"arm {arm}", rounded(len(group))])
        rows.append(["events", f"arm {arm}", rounded(group["cens"].sum())])
        rows += [["survival", f"arm {arm} day {day}", value] for day, value in points[4::4]]
    axes.set(xlabel="days", ylabel="without progression", ylim=(0.4, 1.02))
    axes.legend()
    figure.savefig("/output/survival.svg", metadata={"Date": None})

    model = table[["days", "cens"] + COVARIATES].copy()
    arms = pd.get_dummies(table["arms"], prefix="arm", drop_first=True, dtype=float)
    model = pd.concat([model, arms], axis=1)
    cox = CoxPHFitter().fit(model, "days", "cens")
    for name, line in cox.summary.iterrows():
        rows.append(["hazard ratio", name, f"{line['exp(coef)']:.2f}"])
        rows.append(["p value", name, "<0.001" if line["p"] < 0.001 else f"{line['p']:.2f}"])
    with open("/output/summary.csv", "w", newline="", encoding="utf-8") as out:
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(["measure", "subject", "value"])
        writer.writerows(rows)
    print("fitted", len(GRID), "grid points, 4 arms")


if __name__ == "__main__":
    main()
