/* notify-no-symbol - a shared object that is no plugin */
#include <secret-proxy/notifier.h>

G_MODULE_EXPORT int sp_something_else (void);

int
sp_something_else (void)
{
  return 0;
}
