/* notify-short-table - an old plugin, whose tables end earlier: not bad at all */
#include <secret-proxy/notifier.h>
#include <secret-proxy/store.h>

static gpointer
bad_open (SpHost *host, GError **error)
{
  return host;
}

static void
bad_close (gpointer self)
{
}

static gboolean
bad_post (gpointer self, const SpNotice *notice, GCancellable *cancellable, GError **error)
{
  return TRUE;
}

static const SpNotifierOps ops = { .post = bad_post };

G_MODULE_EXPORT const SpPlugin *sp_plugin (void);

const SpPlugin *
sp_plugin (void)
{
  static const SpPlugin plugin = { .abi = SP_PLUGIN_ABI,
                                   .kind = SP_KIND_NOTIFIER,
                                   .size = sizeof (SpPlugin),
                                   .option_size = sizeof (SpOption),
                                   .ops_abi = SP_NOTIFIER_ABI,
                                   .ops_size = G_STRUCT_OFFSET (SpNotifierOps, settle),
                                   .ops = &ops,
                                   .name = "short-table",
                                   .version = "1.0",
                                   .summary =
                                       "an old plugin, whose tables end earlier: not bad at all",
                                   .open = bad_open,
                                   .close = bad_close };

  return &plugin;
}
