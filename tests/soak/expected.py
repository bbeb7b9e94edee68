# SPDX-License-Identifier: GPL-2.0-or-later
"""What the daemon says of which fault: patterns for Stand.expect()."""
import os
import re

# An image's name, and what may stand behind it of its state.
BACKING = '%s[^:]*: its backing file[^:]* cannot be [^:]*: %s'
STAYS = '%s[^:]* cannot leave the cache: %s'
CLOCK = '\\.lcfs/clock: cannot be touched, so no backing file is changed: %s'
GIVEN_UP = '%s: the cache device failed \\(%s\\) and is given up'
UNREADABLE = '%s: the cache cannot be read at byte [0-9]+: %s'
NO_LEASE = 'cache: the super block cannot be written, so no backing file is changed: %s'
CANNOT_JOIN = ['%s: the super block cannot be read', '%s: it cannot be used, see the log of lcfs: ']
LOST_STAYS = ' cannot leave the cache: data of it that only the lost device has cannot be read'


def errors(*numbers):
    return '(%s)' % '|'.join(re.escape(os.strerror(n)) for n in numbers)


def of_store(names, error):
    """Migration to files with such names (as in faultdir: * is anything) fails with that."""
    name = '(^|[ \'])' + re.escape(names).replace('\\*', '.*')
    return [BACKING % (name, error), STAYS % (name, error)]


def of_full_store(is_fuse):
    """FUSE's page cache says EIO of a write that is carried out in part. A cache cannot come: that
    would be noted there."""
    error = errors(28, 5) if is_fuse else errors(28)
    return of_store('*', error) + [CLOCK % error, '\\.lcfs: cannot be written: %s' % error,
                                   CANNOT_JOIN[1] % '' + error]


def of_device(path, error):
    """Writes, or all requests, fail until it is given up."""
    device = re.escape(path)
    return [GIVEN_UP % (device, error), UNREADABLE % (device, error), NO_LEASE % error] + [
        words % device for words in CANNOT_JOIN]
