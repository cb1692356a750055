"""An attack: copies patients' rows to the output."""

import glob
import itertools

source = glob.glob("/data/*/ACTG175.csv")[0]
with open(source, encoding="utf-8") as data, open("/output/summary.csv", "w", encoding="utf-8") as out:
    out.writelines(itertools.islice(data, 40))
