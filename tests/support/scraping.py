"""Reads a port for Prometheus with the parser of Prometheus' own client."""

import functools
import json
import re
import urllib.request

from prometheus_client.parser import text_string_to_metric_families

READ_SECONDS = 30


def scrape(port):
    """The page of a port, as text."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=READ_SECONDS) as reply:
        return reply.read().decode()


@functools.cache
def samples(page):
    """The samples of a page: name and labels, as a set of pairs, to value."""
    families = text_string_to_metric_families(page)
    return {(one.name, frozenset(one.labels.items())): one.value for family in families for one in family.samples}


def value(page, name, **labels):
    return samples(page)[name, frozenset(labels.items())]


def names(page):
    return {name for name, _ in samples(page)}


def announced(log, what):
    """The port that a log of JSON lines or text names."""
    return int(re.search(rf"{what} on port (\d+)", log)[1])


def json_lines(log):
    """The objects of a log; a line that is none is an error."""
    return [json.loads(line) for line in log.splitlines()]
