/* notify-returns-nothing - its description is nothing */
#include <secret-proxy/notifier.h>

G_MODULE_EXPORT const SpPlugin *sp_plugin (void);

const SpPlugin *
sp_plugin (void)
{
  return NULL;
}
