/* client-notify.c - the calls of notifiers */
#include "plugin/client-private.h"

#define DEADLINE_MS 60000

static void
finish_plain (SpClientCall *call, GVariant *reply, const GError *error)
{
  SpPluginDone done = (SpPluginDone) call->done;

  if (done != NULL)
    done (error, call->data);
}

void
sp_plugin_client_post (SpPluginClient *client, const SpNotice *notice, SpPluginDone done,
                       gpointer data)
{
  guint deadline = sp_client_deadline (client, DEADLINE_MS);

  sp_client_submit (
      client, SP_PLUGIN_POST,
      g_variant_new ("(u@" SP_NOTICE_TYPE ")", deadline, sp_notice_to_variant (notice)), deadline,
      finish_plain, G_CALLBACK (done), NULL, data);
}

void
sp_plugin_client_settle (SpPluginClient *client, const SpNotice *notice, const SpOutcome *outcome,
                         SpPluginDone done, gpointer data)
{
  guint deadline = sp_client_deadline (client, DEADLINE_MS);

  sp_client_submit (client, SP_PLUGIN_SETTLE,
                    g_variant_new ("(u@" SP_NOTICE_TYPE "us)", deadline,
                                   sp_notice_to_variant (notice), outcome->kind, outcome->text),
                    deadline, finish_plain, G_CALLBACK (done), NULL, data);
}
