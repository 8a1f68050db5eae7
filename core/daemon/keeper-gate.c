/* keeper-gate.c - the gate's calls, handed to the vault and answered as text */
#include <string.h>

#include "base/json.h"
#include "base/problem.h"
#include "base/random.h"
#include "base/sign.h"
#include "daemon/gate-protocol.h"
#include "daemon/keeper-private.h"
#include "sp-build.h"

#define ORDER_MS 5000u

/* ---- answering -------------------------------------------------------------------------------------- */

static void
on_body (const SpVaultResult *result, const GError *error, gpointer data)
{
  SpLinkCall *call = data;
  g_autofree char *body = NULL;

  if (error != NULL) {
    sp_link_call_fail (call, error);
    return;
  }
  body = sp_json_text (result->json);
  sp_link_call_reply (call, g_variant_new ("(s)", body), NULL);
}

static void
on_created (const SpVaultResult *result, const GError *error, gpointer data)
{
  SpLinkCall *call = data;
  g_autofree char *body = NULL;

  if (error != NULL) {
    sp_link_call_fail (call, error);
    return;
  }
  body = sp_json_text (result->json);
  sp_link_call_reply (call, g_variant_new ("(ss)", result->id, body), NULL);
}

static void
on_redeemed (const SpVaultResult *result, const GError *error, gpointer data)
{
  SpLinkCall *call = data;
  g_autoptr (GBytes) value = NULL;

  if (error != NULL) {
    sp_link_call_fail (call, error);
    return;
  }
  value = sp_secret_to_bytes (result->value);
  sp_link_call_reply (call, g_variant_new ("(su)", result->secret, result->version), value);
}

/* TRUE: there is a vault to ask.  Otherwise @call was answered. */
static gboolean
ready (SpKeeper *keeper, SpLinkCall *call)
{
  g_autoptr (GError) error = NULL;

  if (keeper->unlocked)
    return TRUE;
  if (keeper->owned)
    error = g_error_new_literal (SP_PROBLEM, SP_PROBLEM_LOCKED,
                                 "the host has not delivered the keys yet; try again soon");
  else
    error = g_error_new_literal (SP_PROBLEM, SP_PROBLEM_UNOWNED,
                                 "no host has taken this vault over yet");
  sp_link_call_fail (call, error);
  return FALSE;
}

/* ---- calls that need no token ---------------------------------------------------------------------------- */

const char *
sp_keeper_unhealthy (SpKeeper *keeper)
{
  if (!keeper->owned)
    return NULL;
  if (!keeper->unlocked)
    return "locked";
  if (sp_vault_is_locked (keeper->vault))
    return "locked";
  if (sp_plugin_client_state (keeper->store->client) != SP_PLUGIN_READY)
    return "store";
  return sp_vault_can_ask (keeper->vault, NULL) ? NULL : "notifier";
}

static void
take_health (SpLinkCall *call, GVariant *args, GBytes *blob, gpointer data)
{
  SpKeeper *keeper = data;
  const char *why = sp_keeper_unhealthy (keeper);
  g_autofree char *body =
      g_strdup_printf ("{\"status\":\"%s\",\"ownership\":\"%s\",\"version\":\"%s\"}",
                       why ? why : "ok", keeper->owned ? "owned" : "unowned", SP_VERSION);

  sp_link_call_reply (call, g_variant_new ("(us)", why ? 503u : 200u, body), NULL);
}

static GByteArray *
bytes_of_hex (const char *hex)
{
  GByteArray *bytes = g_byte_array_new ();

  for (; hex[0] != 0 && hex[1] != 0; hex += 2) {
    int high = g_ascii_xdigit_value (hex[0]), low = g_ascii_xdigit_value (hex[1]);
    guint8 byte = (guint8) (high * 16 + low);

    if (high < 0 || low < 0)
      break;
    g_byte_array_append (bytes, &byte, 1);
  }
  if (*hex != 0)
    g_byte_array_set_size (bytes, 0);
  return bytes;
}

/* nonce || SHA-256 (statement || signature), signed by the vault: it was alive after the nonce. */
static GBytes *
prove (SpKeeper *keeper, GByteArray *message, GError **error)
{
  g_autoptr (GChecksum) checksum = g_checksum_new (G_CHECKSUM_SHA256);
  guint8 digest[32];
  gsize length = sizeof digest;

  g_checksum_update (checksum, (const guchar *) keeper->statement, -1);
  g_checksum_update (checksum, g_bytes_get_data (keeper->signature, NULL),
                     (gssize) g_bytes_get_size (keeper->signature));
  g_checksum_get_digest (checksum, digest, &length);
  g_byte_array_append (message, digest, sizeof digest);
  return sp_sign (keeper->vault_key, SP_SIGN_DOMAIN_PROVE, message->data, message->len, error);
}

static char *
ownership_body (SpKeeper *keeper, GBytes *proof)
{
  g_autofree char *signature = g_base64_encode (g_bytes_get_data (keeper->signature, NULL),
                                                g_bytes_get_size (keeper->signature));
  g_autofree char *proof_text =
      g_base64_encode (g_bytes_get_data (proof, NULL), g_bytes_get_size (proof));
  g_autoptr (JsonNode) node = json_node_new (JSON_NODE_OBJECT);
  JsonObject *object = json_object_new ();

  json_node_take_object (node, object);
  json_object_set_string_member (object, "statement", keeper->statement);
  json_object_set_string_member (object, "signature", signature);
  json_object_set_string_member (object, "proof", proof_text);
  return sp_json_text (node);
}

static void
take_ownership (SpLinkCall *call, GVariant *args, GBytes *blob, gpointer data)
{
  SpKeeper *keeper = data;
  g_autoptr (GError) error = NULL;
  g_autoptr (GByteArray) nonce = NULL;
  g_autoptr (GBytes) proof = NULL;
  g_autofree char *body = NULL;
  const char *hex;

  if (!ready (keeper, call))
    return;
  g_variant_get (args, "(&s)", &hex);
  nonce = bytes_of_hex (hex);
  if (nonce->len < 16 || nonce->len > 64)
    sp_problem_set_invalid (&error, "nonce", "nonce is 32 to 128 hex digits");
  else
    proof = prove (keeper, nonce, &error);
  if (proof == NULL) {
    sp_link_call_fail (call, error);
    return;
  }
  body = ownership_body (keeper, proof);
  sp_link_call_reply (call, g_variant_new ("(s)", body), NULL);
}

/* ---- calls with a token -------------------------------------------------------------------------------------- */

static void
take_secrets (SpLinkCall *call, GVariant *args, GBytes *blob, gpointer data)
{
  SpKeeper *keeper = data;
  const char *token, *cursor;

  g_variant_get (args, "(&s&s)", &token, &cursor);
  if (ready (keeper, call))
    sp_vault_secrets (keeper->vault, token, cursor, on_body, call);
}

static void
take_create (SpLinkCall *call, GVariant *args, GBytes *blob, gpointer data)
{
  SpKeeper *keeper = data;
  const char *token, *key, *secret, *reason;
  gint64 ttl;

  g_variant_get (args, "(&s&s&s&sx)", &token, &key, &secret, &reason, &ttl);
  if (ready (keeper, call))
    sp_vault_create (keeper->vault, token, key, secret, reason, ttl, on_created, call);
}

typedef struct {
  SpKeeper *keeper;
  SpLinkCall *call;
  gpointer wait;
  guint timer;
} LongPoll;

static void
on_polled (const SpVaultResult *result, const GError *error, gpointer data)
{
  LongPoll *poll = data;

  g_clear_handle_id (&poll->timer, g_source_remove);
  on_body (result, error, poll->call);
  g_free (poll);
}

static gboolean
on_poll_over (gpointer data)
{
  LongPoll *poll = data;

  poll->timer = 0;
  if (poll->wait != NULL)
    sp_vault_get_now (poll->keeper->vault, poll->wait);
  return G_SOURCE_REMOVE;
}

static void
take_get (SpLinkCall *call, GVariant *args, GBytes *blob, gpointer data)
{
  SpKeeper *keeper = data;
  const char *token, *id;
  LongPoll *poll;
  guint32 wait_ms;

  if (!ready (keeper, call))
    return;
  g_variant_get (args, "(&s&su)", &token, &id, &wait_ms);
  poll = g_new0 (LongPoll, 1);
  poll->keeper = keeper;
  poll->call = call;
  sp_vault_get (keeper->vault, token, id, wait_ms > 0, &poll->wait, on_polled, poll);
  if (poll->wait != NULL)
    poll->timer = g_timeout_add (MIN (wait_ms, 60000), on_poll_over, poll);
}

static void
take_list (SpLinkCall *call, GVariant *args, GBytes *blob, gpointer data)
{
  SpKeeper *keeper = data;
  const char *token, *cursor;
  guint32 limit;

  g_variant_get (args, "(&s&su)", &token, &cursor, &limit);
  if (ready (keeper, call))
    sp_vault_list (keeper->vault, token, cursor, limit, on_body, call);
}

static void
take_cancel (SpLinkCall *call, GVariant *args, GBytes *blob, gpointer data)
{
  SpKeeper *keeper = data;
  const char *token, *id;

  g_variant_get (args, "(&s&s)", &token, &id);
  if (ready (keeper, call))
    sp_vault_cancel (keeper->vault, token, id, on_body, call);
}

static void
take_redeem (SpLinkCall *call, GVariant *args, GBytes *blob, gpointer data)
{
  SpKeeper *keeper = data;
  const char *token, *id;

  g_variant_get (args, "(&s&s)", &token, &id);
  if (ready (keeper, call))
    sp_vault_redeem (keeper->vault, token, id, on_redeemed, call);
}

static const SpLinkHandler handlers[SP_GATE_N_CALLS] = {
  [SP_GATE_HEALTH] = take_health,   [SP_GATE_OWNERSHIP] = take_ownership,
  [SP_GATE_SECRETS] = take_secrets, [SP_GATE_CREATE] = take_create,
  [SP_GATE_GET] = take_get,         [SP_GATE_LIST] = take_list,
  [SP_GATE_CANCEL] = take_cancel,   [SP_GATE_REDEEM] = take_redeem,
};

/* ---- the link --------------------------------------------------------------------------------------------------- */

static void
on_gate_closed (SpLink *link, const GError *why, gpointer data)
{
  /* The parent tells when the process has ended; one that broke the protocol must be ended. */
  (void) sp_control_send (((SpKeeper *) data)->control, SP_CONTROL_KILL, SP_SLOT_GATE, -1);
}

void
sp_keeper_attach_gate (SpKeeper *keeper, int fd)
{
  const SpLinkSetup setup = { .serve = sp_gate_calls,
                              .handlers = handlers,
                              .n_serve = SP_GATE_N_CALLS,
                              .call = sp_gate_orders,
                              .n_call = SP_GATE_N_ORDERS,
                              .closed = on_gate_closed,
                              .data = keeper };

  if (keeper->gate != NULL)
    sp_link_close (keeper->gate);
  g_clear_pointer (&keeper->gate, sp_link_unref);
  keeper->gate = sp_link_new (fd, &setup);
  /* One that was still to be asked for would be refused, and taken for the end of this one. */
  g_clear_handle_id (&keeper->gate_timer, g_source_remove);
  keeper->gate_since = g_get_monotonic_time ();
  sp_keeper_tell_gate (keeper);
}

static void
on_told (GVariant *reply, GBytes *blob, const GError *error, gpointer data)
{
  if (error != NULL)
    g_warning ("gate: TLS: %s", error->message);
}

void
sp_keeper_tell_gate (SpKeeper *keeper)
{
  g_autoptr (GBytes) tls = NULL;

  if (keeper->gate == NULL || keeper->tls == NULL)
    return;
  tls = sp_secret_to_bytes (keeper->tls);
  sp_link_call (keeper->gate, SP_GATE_SET_TLS, g_variant_new ("(b)", keeper->plain_allowed), tls,
                ORDER_MS, on_told, NULL);
}
