/* plugin.cc - a whole notifier in C++: the public headers give it its one symbol under its C name */
#include <secret-proxy/notifier.h>

namespace {

struct Notifier {
  SpHost *host;
};

gpointer
cpp_open (SpHost *host, GError **)
{
  return new Notifier{ host };
}

void
cpp_close (gpointer self)
{
  delete static_cast<Notifier *> (self);
}

gboolean
cpp_post (gpointer self, const SpNotice *notice, GCancellable *, GError **)
{
  SpHost *host = static_cast<Notifier *> (self)->host;

  host->api->alarm (host, notice->title);
  return TRUE;
}

const SpOption options[] = {
  { .key = "room", .type = SP_OPTION_STRING, .fallback = "lobby", .help = "where nobody waits" },
};

const SpNotifierOps ops = { .post = cpp_post };

} // namespace

SP_NOTIFIER_PLUGIN (&ops, .name = "cpp", .version = "1", .summary = "a notifier in another language",
                    SP_OPTIONS (options), .open = cpp_open, .close = cpp_close)
