/* test-qcow2.h - a small good qcow2 image in memory, for tests that spoil it
 *
 * Clusters of the file: header, table of reference counts, block of reference counts, L1, L2, and three
 * of data.  Clusters of the disk: 0 is 'A', 1 a hole, 2 'B', 3 marked as zero though its place in the
 * file is 'Z'; the others are holes.
 */
#pragma once

#include <glib.h>
#include <string.h>

#define QCOW2_FILE_CLUSTERS 8u
#define QCOW2_DISK_CLUSTERS 8u
#define QCOW2_NAMES_AT 104u /* where extensions begin */

enum {
  QCOW2_BACKING = 8,
  QCOW2_CLUSTER_BITS = 20,
  QCOW2_SIZE = 24,
  QCOW2_CRYPT = 32,
  QCOW2_L1_SIZE = 36,
  QCOW2_L1 = 40,
  QCOW2_REFCOUNTS = 48,
  QCOW2_REFCOUNT_CLUSTERS = 56,
  QCOW2_N_SNAPSHOTS = 60,
  QCOW2_SNAPSHOTS = 64,
  QCOW2_INCOMPATIBLE = 72,
  QCOW2_COMPATIBLE = 80,
  QCOW2_AUTOCLEAR = 88,
  QCOW2_ORDER = 96,
  QCOW2_HEADER_LENGTH = 100,
};

static inline void
qcow2_put (guint8 *image, gsize at, guint bytes, guint64 value)
{
  for (guint i = 0; i < bytes; i++)
    image[at + i] = (guint8) (value >> (8 * (bytes - 1 - i)));
}

static inline gsize
qcow2_length (guint bits)
{
  return (gsize) QCOW2_FILE_CLUSTERS << bits;
}

static inline guint8 *
qcow2_new (guint bits)
{
  const guint64 cluster = (guint64) 1 << bits, copied = (guint64) 1 << 63;
  guint8 *image = g_malloc0 (qcow2_length (bits));

  qcow2_put (image, 0, 4, 0x514649fb);
  qcow2_put (image, 4, 4, 3);
  qcow2_put (image, QCOW2_CLUSTER_BITS, 4, bits);
  qcow2_put (image, QCOW2_SIZE, 8, QCOW2_DISK_CLUSTERS * cluster);
  qcow2_put (image, QCOW2_L1_SIZE, 4, 1);
  qcow2_put (image, QCOW2_L1, 8, 3 * cluster);
  qcow2_put (image, QCOW2_REFCOUNTS, 8, cluster);
  qcow2_put (image, QCOW2_REFCOUNT_CLUSTERS, 4, 1);
  qcow2_put (image, QCOW2_ORDER, 4, 4);
  qcow2_put (image, QCOW2_HEADER_LENGTH, 4, 104);
  qcow2_put (image, cluster, 8, 2 * cluster);
  for (guint i = 0; i < QCOW2_FILE_CLUSTERS; i++)
    qcow2_put (image, 2 * cluster + 2 * i, 2, 1);
  qcow2_put (image, 3 * cluster, 8, 4 * cluster | copied);
  qcow2_put (image, 4 * cluster + 0, 8, 5 * cluster | copied);
  qcow2_put (image, 4 * cluster + 16, 8, 6 * cluster | copied);
  qcow2_put (image, 4 * cluster + 24, 8, 7 * cluster | copied | 1);
  memset (image + 5 * cluster, 'A', cluster);
  memset (image + 6 * cluster, 'B', cluster);
  memset (image + 7 * cluster, 'Z', cluster);
  return image;
}
