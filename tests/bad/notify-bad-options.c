/* notify-bad-options - its table of options has a secret with a default */
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

static const SpOption options[] = {
  { .key = "token", .type = SP_OPTION_SECRET, .fallback = "file:/x", .help = "a token" },
};

G_MODULE_EXPORT const SpPlugin *sp_plugin (void);

const SpPlugin *
sp_plugin (void)
{
  static const SpPlugin plugin = { .abi = SP_PLUGIN_ABI,
                                   .kind = SP_KIND_NOTIFIER,
                                   .size = sizeof (SpPlugin),
                                   .option_size = sizeof (SpOption),
                                   .ops_abi = SP_NOTIFIER_ABI,
                                   .ops_size = sizeof ops,
                                   .ops = &ops,
                                   .name = "bad-options",
                                   .version = "1.0",
                                   .summary = "its table of options has a secret with a default",
                                   .open = bad_open,
                                   .close = bad_close };
  static SpPlugin changed;

  changed = plugin;
  changed.options = options;
  changed.n_options = G_N_ELEMENTS (options);
  return &changed;
}
