/* gate-limits.c - the buckets of gate-limits.h
 *
 * A bucket is one number: the moment when it will be full again.  What has been full since is
 * forgotten when the table has grown; where that does not help, peers that are new share one entry,
 * so that the table stays bounded whatever addresses somebody makes up.
 */
#include "daemon/gate-limits.h"

#include <string.h>

#define MAX_PEERS 1024u

typedef struct {
  gint64 burst;    /* how many a full bucket holds */
  gint64 interval; /* microseconds until one comes back */
} Rule;

static const Rule rules[SP_GATE_N_LIMITS] = {
  [SP_GATE_LIMIT_UNAUTHORIZED] = { 10, G_USEC_PER_SEC / 2 },
  [SP_GATE_LIMIT_OWNERSHIP] = { 50, G_USEC_PER_SEC / 10 },
};

typedef struct {
  SpHttpPeer peer;
  gint64 full_at[SP_GATE_N_LIMITS];
} Entry;

struct _SpGateLimits {
  GHashTable *entries; /* Entry, by its peer */
  Entry shared;
};

static guint
peer_hash (gconstpointer data)
{
  const SpHttpPeer *peer = data;
  guint32 words[4];

  memcpy (words, peer->bytes, sizeof words);
  return words[0] ^ words[1] * 31u ^ words[2] * 131u ^ words[3] * 8191u;
}

static gboolean
peer_equal (gconstpointer a, gconstpointer b)
{
  return sp_http_peer_equal (a, b);
}

SpGateLimits *
sp_gate_limits_new (void)
{
  SpGateLimits *limits = g_new0 (SpGateLimits, 1);

  limits->entries = g_hash_table_new_full (peer_hash, peer_equal, g_free, NULL);
  return limits;
}

void
sp_gate_limits_free (SpGateLimits *limits)
{
  g_hash_table_unref (limits->entries);
  g_free (limits);
}

static gboolean
is_full (gpointer key, gpointer value, gpointer data)
{
  const Entry *entry = value;
  const gint64 *now = data;

  for (guint i = 0; i < SP_GATE_N_LIMITS; i++)
    if (entry->full_at[i] > *now)
      return FALSE;
  return TRUE;
}

static Entry *
entry_for (SpGateLimits *limits, const SpHttpPeer *peer, gint64 now)
{
  Entry *entry = g_hash_table_lookup (limits->entries, peer);

  if (entry != NULL)
    return entry;
  if (g_hash_table_size (limits->entries) >= MAX_PEERS)
    g_hash_table_foreach_remove (limits->entries, is_full, &now);
  if (g_hash_table_size (limits->entries) >= MAX_PEERS)
    return &limits->shared;
  entry = g_new0 (Entry, 1);
  entry->peer = *peer;
  /* The peer is the first member: the entry is its own key. */
  g_hash_table_insert (limits->entries, entry, entry);
  return entry;
}

gboolean
sp_gate_limits_take (SpGateLimits *limits, const SpHttpPeer *peer, SpGateLimit which, gint64 now,
                     guint *ret_retry_after)
{
  const Rule *rule = &rules[which];
  gint64 *full_at = &entry_for (limits, peer, now)->full_at[which];
  gint64 next = MAX (*full_at, now) + rule->interval;
  gint64 over = next - now - rule->burst * rule->interval;

  if (over > 0) {
    *ret_retry_after = (guint) ((over + G_USEC_PER_SEC - 1) / G_USEC_PER_SEC);
    return FALSE;
  }
  *full_at = next;
  return TRUE;
}
