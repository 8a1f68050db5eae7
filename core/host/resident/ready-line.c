/* ready-line.c - ready-line.h */
#include "host/resident/ready-line.h"

#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/json.h"
#include "host/resident/admin-socket.h"

/* The path may begin with '@': an abstract one. */
static void
notify_manager (void)
{
  static const char ready[] = "READY=1";
  const char *path = g_getenv ("NOTIFY_SOCKET");
  struct sockaddr_un address = { .sun_family = AF_UNIX };
  gsize length = path ? strlen (path) : 0;
  int fd;

  if (length < 2 || length >= sizeof address.sun_path || (*path != '/' && *path != '@'))
    return;
  memcpy (address.sun_path, path, length);
  if (*path == '@')
    address.sun_path[0] = 0;
  fd = socket (AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0)
    return;
  (void) sendto (fd, ready, strlen (ready), MSG_NOSIGNAL, (const struct sockaddr *) &address,
                 (socklen_t) (G_STRUCT_OFFSET (struct sockaddr_un, sun_path) + length));
  (void) close (fd);
}

void
sp_ready_line (SpService *service, const char *acceleration)
{
  g_autofree char *admin = g_build_filename (sp_service_path (service), SP_ADMIN_SOCKET, NULL);
  g_autoptr (JsonNode) node = json_node_new (JSON_NODE_OBJECT);
  JsonObject *object = json_object_new ();
  g_autofree char *text = NULL;

  json_node_take_object (node, object);
  json_object_set_boolean_member (object, "ready", TRUE);
  json_object_set_string_member (object, "url", sp_service_url (service));
  json_object_set_string_member (object, "tls_pin", sp_service_keys (service)->tls_pin);
  json_object_set_string_member (object, "admin", admin);
  json_object_set_int_member (object, "pid", getpid ());
  if (acceleration != NULL)
    json_object_set_string_member (object, "acceleration", acceleration);
  text = sp_json_text (node);
  /* Whoever started it need not live on: see vm-control.c.  It may end as soon as it has the line. */
  (void) prctl (PR_SET_PDEATHSIG, 0);
  (void) printf ("%s\n", text);
  (void) fflush (stdout);
  notify_manager ();
}
