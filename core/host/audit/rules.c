/* rules.c - rules.h: the table
 *
 * Made of what a first boot of Debian with cloud-init leaves behind, and Podman.  What matters for the next boot
 * before the host's own seed is read must not stand here: units, rules of udev, PAM, libraries, the boot loader.
 */
#include "host/audit/rules.h"

#include <string.h>

#define NAME "[a-z_][a-z0-9_-]{0,31}"
/* Of people; of nobody who may do anything by number. */
#define NUMBER "[1-9][0-9]{3,8}"

static const SpAuditRule rules[] = {
  { SP_AUDIT_CLEARED, "/home", NULL, FALSE },
  { SP_AUDIT_CLEARED, "/root", NULL, FALSE },
  { SP_AUDIT_CLEARED, "/tmp", NULL, FALSE },
  { SP_AUDIT_CLEARED, "/var/cache", NULL, FALSE },
  { SP_AUDIT_CLEARED, "/var/lib/cloud", NULL, TRUE },
  { SP_AUDIT_CLEARED, "/var/lib/cni", NULL, FALSE },
  { SP_AUDIT_CLEARED, "/var/lib/containers", NULL, FALSE },
  { SP_AUDIT_CLEARED, "/var/lib/dhcp", NULL, FALSE },
  { SP_AUDIT_CLEARED, "/var/lib/secret-proxyd", NULL, FALSE },
  { SP_AUDIT_CLEARED, "/var/lib/systemd/linger", NULL, FALSE },
  { SP_AUDIT_CLEARED, "/var/lib/systemd/network", NULL, FALSE },
  { SP_AUDIT_CLEARED, "/var/lib/systemd/timers", NULL, FALSE },
  { SP_AUDIT_CLEARED, "/var/lib/systemd/timesync", NULL, FALSE },
  { SP_AUDIT_CLEARED, "/var/log", NULL, FALSE },
  { SP_AUDIT_CLEARED, "/var/tmp", NULL, FALSE },

  { SP_AUDIT_REMOVED, "/etc/cloud/cloud-init.disabled", NULL, FALSE },
  { SP_AUDIT_REMOVED, "/etc/cni/net.d/cni.lock", NULL, FALSE },
  { SP_AUDIT_REMOVED, "/etc/group-", NULL, FALSE },
  { SP_AUDIT_REMOVED, "/etc/gshadow-", NULL, FALSE },
  { SP_AUDIT_REMOVED, "/etc/netplan/50-cloud-init.yaml", NULL, FALSE },
  { SP_AUDIT_REMOVED, "/etc/network/interfaces.d/50-cloud-init", NULL, FALSE },
  { SP_AUDIT_REMOVED, "/etc/passwd-", NULL, FALSE },
  { SP_AUDIT_REMOVED, "/etc/shadow-", NULL, FALSE },
  { SP_AUDIT_REMOVED, "/etc/ssh/ssh_host_*", NULL, FALSE },
  { SP_AUDIT_REMOVED, "/etc/ssh/sshd_config.d/50-cloud-init.conf", NULL, FALSE },
  { SP_AUDIT_REMOVED, "/etc/subgid-", NULL, FALSE },
  { SP_AUDIT_REMOVED, "/etc/subuid-", NULL, FALSE },
  { SP_AUDIT_REMOVED, "/etc/sudoers.d/90-cloud-init-users", NULL, FALSE },
  { SP_AUDIT_REMOVED, "/etc/systemd/network/10-cloud-init-*", NULL, FALSE },
  { SP_AUDIT_REMOVED, "/etc/udev/rules.d/70-persistent-net.rules", NULL, FALSE },
  { SP_AUDIT_REMOVED, "/var/lib/dbus/machine-id", NULL, TRUE },
  { SP_AUDIT_REMOVED, "/var/lib/systemd/random-seed", NULL, FALSE },

  { SP_AUDIT_ANEW, "/etc/group", NAME ":x:" NUMBER ":", FALSE },
  { SP_AUDIT_ANEW, "/etc/gshadow", NAME ":[!*]+::", FALSE },
  { SP_AUDIT_ANEW, "/etc/hostname", "[a-z0-9][a-z0-9.-]{0,63}", FALSE },
  { SP_AUDIT_ANEW, "/etc/hosts", NULL, FALSE },
  { SP_AUDIT_ANEW, "/etc/machine-id", "[0-9a-f]{32}", FALSE },
  { SP_AUDIT_ANEW, "/etc/passwd",
    NAME ":x:" NUMBER ":" NUMBER ":[A-Za-z0-9 ,.-]{0,64}:/home/" NAME ":/bin/(sh|ash|bash)",
    FALSE },
  { SP_AUDIT_ANEW, "/etc/shadow", NAME ":[!*]+:[0-9]{0,6}:0?:(99999)?:7?:::", FALSE },
  { SP_AUDIT_ANEW, "/etc/subgid", NAME ":[1-9][0-9]{4,9}:65536", FALSE },
  { SP_AUDIT_ANEW, "/etc/subuid", NAME ":[1-9][0-9]{4,9}:65536", FALSE },
  { SP_AUDIT_ANEW, "/etc/sudoers.d", NULL, FALSE },
};

static gboolean
matches (const SpAuditRule *rule, const char *path)
{
  gsize length = strlen (rule->path);

  if (rule->path[length - 1] == '*')
    return strncmp (path, rule->path, length - 1) == 0 && strchr (path + length - 1, '/') == NULL;
  if (strncmp (path, rule->path, length) != 0)
    return FALSE;
  return path[length] == 0 || (path[length] == '/' && rule->kind == SP_AUDIT_CLEARED);
}

const SpAuditRule *
sp_audit_rule_for (const char *path)
{
  for (gsize i = 0; i < G_N_ELEMENTS (rules); i++)
    if (matches (&rules[i], path))
      return &rules[i];
  return NULL;
}

gboolean
sp_audit_rule_keeps (const char *path)
{
  const SpAuditRule *rule = sp_audit_rule_for (path);

  return rule != NULL && rule->kind == SP_AUDIT_ANEW;
}
