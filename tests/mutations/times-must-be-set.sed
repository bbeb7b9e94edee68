# SPDX-License-Identifier: GPL-2.0-or-later
# A store that sets no times gets nothing migrated.
#! tests/t-store-errors.sh
#@ lcfs/image/identity.c
/case EOPNOTSUPP:/d
