# SPDX-License-Identifier: GPL-2.0-or-later
"""Strict checks of what the control tree tells, for tests.

    check_stats.py json FILE      is it JSON, without duplicate keys, as lcctl-tree(5) says?
    check_stats.py metrics FILE   is it OpenMetrics 1.0 text?
    check_stats.py same JSON METRICS   do both name the same caches and images, by name too?
"""
import json
import re
import sys

NAME = r'[a-zA-Z_:][a-zA-Z0-9_:]*'
SAMPLE = re.compile(r'(%s)(?:\{(.*)\})? (-?[0-9]+(?:\.[0-9]+)?)$' % NAME)
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"')
SUFFIXES = {'counter': ['_total'], 'gauge': [''], 'info': ['_info'],
            'histogram': ['_bucket', '_count', '_sum']}


class Wrong(Exception):
    pass


def check(condition, what):
    if not condition:
        raise Wrong(what)


# ---- JSON

def no_duplicates(pairs):
    keys = [key for key, _ in pairs]
    check(len(keys) == len(set(keys)), 'a key stands twice in %s' % keys)
    return dict(pairs)


def no_constant(text):
    raise Wrong('%s is no JSON' % text)


def read_json(name):
    with open(name, 'rb') as f:
        text = f.read().decode('utf-8')     # strictly
    return json.loads(text, object_pairs_hook=no_duplicates, parse_constant=no_constant)


def check_latency(latency):
    for kind in 'write', 'read', 'fsync', 'flush', 'migrate':
        one = latency[kind]
        check(sum(n for _, n in one['buckets']) == one['count'], kind + ': count')
        bounds = [b for b, _ in one['buckets'] if b is not None]
        check(bounds == sorted(set(bounds)), kind + ': order')
        check(one['p50_ns'] <= one['p90_ns'] <= one['p99_ns'] <= one['p999_ns'], kind)


def check_json(name):
    stats = read_json(name)
    for key in 'version', 'mount', 'source', 'state':
        check(isinstance(stats[key], str), key)
    for cache in stats['caches']:
        check(len(cache['stat']) == 16, 'stat')
        check(cache['dirty_bytes'] == cache['nr_dirty_caches'] * 4096, 'dirty_bytes')
        check_latency(cache['latency'])
    for image in stats['images']:
        check(image['id'] > 0, 'id')
    return stats


# ---- OpenMetrics

class Family:
    def __init__(self, name, kind):
        self.name, self.kind, self.unit, self.help = name, kind, None, None
        self.series = {}


def parse_labels(text):
    labels, at = {}, 0
    while text and at < len(text):
        m = LABEL.match(text, at)
        check(m, 'labels: %r' % text[at:])
        check(m.group(1) not in labels, 'label %s stands twice' % m.group(1))
        labels[m.group(1)] = re.sub(r'\\(.)', lambda e: {'n': '\n'}.get(e.group(1), e.group(1)),
                                    m.group(2))
        at = m.end()
        check(at == len(text) or text[at] == ',', 'labels: %r' % text[at:])
        at += 1
    return labels


def parse_comment(line, families, current):
    m = re.match(r'# (TYPE|UNIT|HELP) (%s) (.+)$' % NAME, line)
    check(m, 'no metadata: %r' % line)
    word, name, rest = m.groups()
    if word == 'TYPE':
        check(name not in families, 'family %s stands twice' % name)
        check(rest in SUFFIXES, 'type %s' % rest)
        families[name] = Family(name, rest)
        return families[name]
    check(current and current.name == name, '%s of %s stands elsewhere' % (word, name))
    check(not current.series, 'metadata behind samples of ' + name)
    check(getattr(current, word.lower()) is None, '%s of %s twice' % (word, name))
    setattr(current, word.lower(), rest)
    if word == 'UNIT':
        check(name.endswith('_' + rest), '%s does not end in its unit %s' % (name, rest))
    return current


def parse_sample(line, current):
    m = SAMPLE.match(line)
    check(m, 'no sample: %r' % line)
    name, labels, value = m.group(1), parse_labels(m.group(2)), float(m.group(3))
    check(current and name.startswith(current.name), 'sample %s in no family' % name)
    suffix = name[len(current.name):]
    check(suffix in SUFFIXES[current.kind], '%s is no sample of a %s' % (name, current.kind))
    check(current.kind != 'info' or value == 1, '%s is not 1' % name)
    check(current.kind == 'gauge' or value >= 0, '%s is negative' % name)
    key = (suffix, tuple(sorted(labels.items())))
    check(key not in current.series, 'series stands twice: ' + line)
    current.series[key] = value


def check_histogram(family):
    groups = {}
    for (suffix, labels), value in family.series.items():
        rest = tuple(l for l in labels if l[0] != 'le')
        groups.setdefault(rest, {}).setdefault(suffix, []).append((dict(labels).get('le'), value))
    for group in groups.values():
        buckets = group['_bucket']
        check(buckets[-1][0] == '+Inf', family.name + ' has no +Inf')
        bounds = [float(le) for le, _ in buckets]
        check(bounds == sorted(bounds), family.name + ': bounds')
        counts = [n for _, n in buckets]
        check(counts == sorted(counts), family.name + ' is not cumulative')
        check(group['_count'][0][1] == counts[-1], family.name + '_count')
        check('_sum' in group, family.name + '_sum')


def check_metrics(name):
    with open(name, 'rb') as f:
        text = f.read().decode('utf-8')
    check(text.endswith('# EOF\n'), 'no # EOF at the end')
    families, current = {}, None
    for line in text[:-len('# EOF\n')].split('\n')[:-1]:
        if line.startswith('#'):
            current = parse_comment(line, families, current)
        else:
            parse_sample(line, current)
    for family in families.values():
        check(family.help, family.name + ' has no HELP')
        if family.kind == 'histogram':
            check_histogram(family)
    return families


def check_same(json_name, metrics_name):
    stats, families = check_json(json_name), check_metrics(metrics_name)

    def series(name, key):
        return {dict(labels)[key]: dict(labels) for _, labels in families[name].series}
    caches = series('lcfs_cache', 'cache')
    check(set(caches) == {str(c['id']) for c in stats['caches']}, 'caches')
    images = series('lcfs_image', 'image')
    check({i: l['name'] for i, l in images.items()} ==
          {str(i['id']): i['name'] for i in stats['images']}, 'images')


def main(argv):
    try:
        {'json': check_json, 'metrics': check_metrics, 'same': check_same}[argv[1]](*argv[2:])
    except (Wrong, ValueError, KeyError) as e:
        print('%s: %s: %r' % (argv[1], argv[2], e))
        return 1
    return 0


if __name__ == '__main__':
    sys.exit(main(sys.argv))
