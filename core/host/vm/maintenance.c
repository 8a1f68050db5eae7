/* maintenance.c - maintenance.h */
#include "host/vm/maintenance.h"

#include <unistd.h>

#include "base/file.h"
#include "base/problem.h"

/* Of one page: nothing is read of it. */
#define DISK_SIZE 4096u
#define MAX_MOVES 5u

/* ---- the port ---------------------------------------------------------------------------------------------- */

/* Listening as well, since two may be bound where nobody listens yet; @port 0: any. */
static GSocket *
listen_at (guint16 port, GError **error)
{
  g_autoptr (GSocket) probe =
      g_socket_new (G_SOCKET_FAMILY_IPV4, G_SOCKET_TYPE_STREAM, G_SOCKET_PROTOCOL_TCP, error);
  g_autoptr (GInetAddress) loopback = g_inet_address_new_loopback (G_SOCKET_FAMILY_IPV4);
  g_autoptr (GSocketAddress) address = g_inet_socket_address_new (loopback, port);

  return probe != NULL && g_socket_bind (probe, address, TRUE, error) &&
                 g_socket_listen (probe, error)
             ? g_steal_pointer (&probe)
             : NULL;
}

static gboolean
find_port (guint16 *ret_port, GError **error)
{
  g_autoptr (GSocket) probe = listen_at (0, error);
  g_autoptr (GSocketAddress) bound = probe ? g_socket_get_local_address (probe, error) : NULL;

  if (bound == NULL)
    return FALSE;
  *ret_port = g_inet_socket_address_get_port (G_INET_SOCKET_ADDRESS (bound));
  return TRUE;
}

gboolean
sp_maintenance_move (SpMachine *machine, guint *moves)
{
  guint16 port = sp_machine_ssh_port (machine);
  g_autoptr (GSocket) probe = port != 0 ? listen_at (port, NULL) : NULL;

  if (port == 0 || probe != NULL || *moves >= MAX_MOVES || !find_port (&port, NULL))
    return FALSE;
  (*moves)++;
  sp_machine_move_ssh (machine, port);
  return TRUE;
}

/* ---- the whole --------------------------------------------------------------------------------------------- */

static gboolean
make (int folder, guint16 *ret_port, GError **error)
{
  static const guint8 nothing[DISK_SIZE];

  if (sp_file_write_private (folder, SP_VAULT_MAINTENANCE, SP_FILE_REPLACE, nothing, sizeof nothing,
                             error) &&
      find_port (ret_port, error))
    return TRUE;
  g_prefix_error (error, "cannot prepare the maintenance: ");
  return FALSE;
}

gboolean
sp_maintenance_prepare (int folder, const SpVaultRecord *record, gboolean wanted, guint16 *ret_port,
                        GError **error)
{
  if (!wanted) {
    (void) unlinkat (folder, SP_VAULT_MAINTENANCE, 0);
    return TRUE;
  }
  if (record->base != NULL)
    return make (folder, ret_port, error);
  g_set_error_literal (error, SP_PROBLEM, SP_PROBLEM_CONFLICT,
                       "the vault boots an appliance, which has no login: there is no maintenance "
                       "but 'vm update'");
  return FALSE;
}
