"""The saved models of all parties, combined by hand from the files and the formulas alone."""

import math

import numpy as np
import pandas as pd

from tests.support.oracle import encode_feature, philox_permutation

CONCATENATED = "deep"
SUMMED = ("factor_sum", "factor_square", "linear")


def common_ids(organisations, dataset):
    """Returns the ids that every party has, sorted by their UTF-8 bytes."""
    ids = [set(organisations.read_table(name, dataset)["ID"]) for name in organisations.names]
    return sorted(set.intersection(*ids), key=str.encode)


def common_rows(organisations, name, dataset):
    return organisations.read_table(name, dataset).set_index("ID").loc[common_ids(organisations, dataset)]


def labels(organisations, dataset):
    ratings = common_rows(organisations, organisations.label_party, dataset)["rating"]
    return (ratings.astype(float) > 3).to_numpy().astype(float)


def model_inputs(organisations, name, dataset):
    """Returns the inputs of a party's base model; the encoding is fitted on the training rows alone."""
    training = organisations.training
    frame = common_rows(organisations, name, training["dataset"])
    rows = len(frame)
    order = philox_permutation(organisations.row_key(), "hold out", 0, rows)
    training_rows = np.sort(order[math.floor(training.get("validation_fraction", 0.0) * rows) :])
    both = pd.concat([frame, common_rows(organisations, name, dataset)])
    indices, values, offset = [], [], 0
    for feature in organisations.features[name]:
        encoded = encode_feature(both[feature["column"]].tolist(), feature, training_rows)
        counts = np.diff(encoded.starts)
        wide = np.zeros((len(both), int(counts.max())), np.int32)
        weights = np.zeros(wide.shape, np.float32)
        places = np.arange(wide.shape[1]) < counts[:, None]
        wide[places], weights[places] = encoded.indices, encoded.values
        indices.append(wide + offset)
        values.append(weights)
        offset += encoded.size
    return {
        "indices": np.concatenate(indices, axis=1)[rows:].astype(np.int32),
        "values": np.concatenate(values, axis=1)[rows:],
    }


def probabilities(organisations, dataset, bases, fuse):
    """Returns the probabilities of the rows in common of a dataset.

    `bases` holds a callable per party with features, `fuse` is a callable: Keras models or SavedModels' endpoints.
    """
    hiddens = [bases[name](model_inputs(organisations, name, dataset)) for name in sorted(bases)]
    aggregated = {name: np.sum([np.asarray(one[name]) for one in hiddens], axis=0) for name in SUMMED}
    aggregated[CONCATENATED] = np.concatenate([np.asarray(one[CONCATENATED]) for one in hiddens], axis=1)
    logits = np.asarray(fuse(aggregated)["liked"])[:, 0].astype(np.float64)
    return 1.0 / (1.0 + np.exp(-logits))


def metrics(probability, label):
    """Computes loss, AUC, precision and recall, each by its definition."""
    chosen = np.where(label > 0, probability, 1.0 - probability)
    positive, negative = probability[label > 0], probability[label == 0]
    pairs = np.sign(positive[:, None] - negative[None, :])
    predicted = probability > 0.5
    hits = (predicted & (label > 0)).sum()
    return {
        "loss": float(-np.log(chosen).mean()),
        "auc": float((pairs + 1.0).mean() / 2.0),
        "precision": float(hits / max(1, predicted.sum())),
        "recall": float(hits / (label > 0).sum()),
    }
