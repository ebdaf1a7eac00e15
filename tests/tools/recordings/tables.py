"""The data of all recorded runs, made by a seeded generator and equal on every machine."""

import csv

import numpy as np

ROWS = {"train": 330, "test": 130, "future": 70}
SEEDS = {"train": 11, "test": 12, "future": 13}
UNLABELLED = "future"
LABEL_COLUMNS = ("rating", "minutes", "mood", "weight")
FOREIGN_ROWS = 5
CITIES = ("Ulm", "Köln", "Bonn", "")
FILMS = tuple(f"film{number}" for number in range(18))
GENRES = ("drama", "crime", "comedy", "war")
MOODS = ("calm", "loud", "sad")
SHOPS = ("north", "south", "east")


def write_tables(folder):
    """Writes `PARTY/DATASET.csv` for every party and dataset.

    Every party has an order of rows of its own, lacks some rows, and has some that no other party has.

    Args:
        folder: output folder; it must exist.
    """
    for dataset, rows in ROWS.items():
        generator = np.random.default_rng(SEEDS[dataset])
        ids = [f"{dataset}-{number:05d}" for number in range(rows)]
        for place, (party, columns) in enumerate(make_columns(generator, rows).items()):
            left_out = LABEL_COLUMNS if dataset == UNLABELLED else ()
            table = {"ID": ids, **{name: values for name, values in columns.items() if name not in left_out}}
            records = [{name: values[row] for name, values in table.items()} for row in range(rows)]
            foreign = [{**one, "ID": f"{party}-{one['ID']}"} for one in records[:FOREIGN_ROWS]]
            kept = [one for row, one in enumerate(records) if row % 29 != place] + foreign
            path = folder / party / f"{dataset}.csv"
            path.parent.mkdir(exist_ok=True)
            with path.open("w", newline="", encoding="utf-8") as file:
                writer = csv.DictWriter(file, list(table))
                writer.writeheader()
                writer.writerows(kept[number] for number in generator.permutation(len(kept)))


def make_columns(generator, rows):
    """Makes text columns by party and name; the labels depend on columns of every party."""

    def drawn(texts):
        return [texts[number] for number in generator.integers(len(texts), size=rows)]

    def decimal(values, digits=2):
        return [f"{value:.{digits}f}" for value in values]

    city, film, shop = drawn(CITIES), drawn(FILMS), drawn(SHOPS)
    income, age = generator.normal(3000, 800, rows), generator.integers(16, 80, rows)
    genres = ["|".join(name for name in GENRES if generator.random() < 0.4) for _ in range(rows)]
    seen = [
        " ".join(FILMS[one] for one in generator.integers(len(FILMS), size=length))
        for length in generator.integers(0, 7, rows)
    ]
    late = np.array([name[-1] > "5" for name in film], dtype=float)
    score = np.array([name == "Ulm" for name in city]) + late + np.array([name == "east" for name in shop])
    noise = generator.normal(0, 0.7, rows)
    return {
        "alice": {
            "city": city,
            "income": decimal(income),
            "age": ["unknown" if one % 13 == 0 else str(one) for one in age],
            "zip": [str(one) for one in generator.integers(10000, 10060, rows)],
        },
        "bob": {
            "film": film,
            "genres": genres,
            "seen": seen,
            "rating": ["5" if one > 1.2 else "2" for one in score + noise],
            "minutes": decimal(2.0 + score + 0.5 * noise),
            "mood": [MOODS[int(one)] for one in np.clip(np.round(score + noise), 0, 2)],
            "weight": decimal(generator.random(rows)),
        },
        "charlie": {"shop": shop, "visits": [str(one) for one in generator.integers(0, 30, rows)]},
    }
