"""The joined model in one process, trained with the stale weights of a pipelined schedule."""


def pipelined(depth):
    return {"schedule": {"kind": "pipelined", "depth": depth}}


class PipelinedOracle:
    """The joined model in one process; feature parties use their weights of `depth - 1` updates before.

    Args:
        oracle: a JoinedOracle.
        depth: of the schedule.
    """

    def __init__(self, oracle, depth):
        self.oracle, self.depth = oracle, depth

    def train(self, steps):
        oracle, losses, since_drain = self.oracle, [], []
        per_epoch = -(-oracle.training_row_count // oracle.batch_size)
        features = [name for name in oracle._variables if name != oracle.label_party]
        for step in range(steps):
            if step % per_epoch == 0:
                since_drain = []
            now = {name: self.values(name) for name in features}
            since_drain.append(now)
            stale = since_drain[max(0, len(since_drain) - self.depth)]
            for name in features:
                self.assign(name, stale[name])
            loss, gradients = oracle.raw_gradients(oracle.batch_rows(step))
            losses.append(loss)
            for name in features:
                self.assign(name, now[name])
            for name, by_key in gradients.items():
                pairs = [pair for key in by_key for pair in zip(by_key[key], oracle._variables[name][key], strict=True)]
                oracle._optimizers[name].apply_gradients(pairs)
        return losses

    def values(self, name):
        return {key: [one.numpy().copy() for one in parts] for key, parts in self.oracle._variables[name].items()}

    def assign(self, name, values):
        for key, parts in self.oracle._variables[name].items():
            for variable, value in zip(parts, values[key], strict=True):
                variable.assign(value)
