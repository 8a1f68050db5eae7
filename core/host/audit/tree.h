/* tree.h - all that a disk consists of, as one list: its table, its gaps, and each inode of each file system
 *
 * The one form in which a disk is spoken of: the program that looks at it (audit/main.c) writes it, the host
 * reads it, and that of a base image is kept in a file.  A line for each thing, words with a space between
 * them, everything but plain letters as %XX:
 *
 *      secret-proxy-tree 1
 *      disk SIZE
 *      table mbr|gpt|none
 *      gap NAME LENGTH SHA256            what lies outside of partitions; zeros at its end do not count
 *      part NUMBER START SIZE KIND FS SHA256
 *      inode PART TYPE MODE UID GID SIZE RDEV SHA256 XATTRS PATH TARGET
 *      kept PART PATH BASE64             the content of a few small files
 *      end LINES
 *
 * SIZE and SHA256 of what is no regular file are 0 and -; so is what else does not apply.  The SHA256 of a
 * partition is that of all of it where FS is raw, and of its first sectors, which may boot, where it is not.
 *
 * What must stay true: what reads well is written again as the very same bytes, so that a digest over a line
 * is a digest over what was understood.
 */
#pragma once

#include <gio/gio.h>

#define SP_AUDIT_MAX_TREE (128u * 1024u * 1024u) /* bytes of it */
#define SP_AUDIT_MAX_LINES 400000u
#define SP_AUDIT_MAX_PATH 4095u
#define SP_AUDIT_MAX_KEPT (64u * 1024u) /* bytes of one file */

typedef enum {
  SP_AUDIT_FILE = 'f',
  SP_AUDIT_DIR = 'd',
  SP_AUDIT_LINK = 'l',
  SP_AUDIT_CHAR = 'c',
  SP_AUDIT_BLOCK = 'b',
  SP_AUDIT_FIFO = 'p',
  SP_AUDIT_SOCKET = 's',
} SpAuditType;

typedef struct {
  guint part;
  SpAuditType type;
  guint mode; /* the lower twelve bits */
  guint uid, gid;
  guint64 size, rdev;
  char *sha256; /* hex; NULL: no file */
  char *xattrs; /* NAME:HEX with commas between, sorted; NULL: none */
  char *path;   /* bytes, from / on */
  char *target; /* of a link, bytes; NULL: none */
} SpAuditEntry;

typedef struct {
  guint number;
  guint64 start, size; /* bytes */
  char *kind;          /* its type in the table, hex */
  char *fs;            /* "ext", "vfat", "raw" */
  char *sha256;
} SpAuditPart;

typedef struct {
  char *name;
  guint64 length;
  char *sha256;
} SpAuditGap;

typedef struct {
  guint64 size;
  char *table;
  GPtrArray *gaps;     /* SpAuditGap */
  GPtrArray *parts;    /* SpAuditPart */
  GPtrArray *entries;  /* SpAuditEntry */
  GHashTable *by_path; /* "PART:/path" -> entry */
  GHashTable *kept;    /* "PART:/path" -> GBytes */
} SpAuditTree;

SpAuditTree *sp_audit_tree_new (void);
void sp_audit_tree_free (SpAuditTree *tree);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (SpAuditTree, sp_audit_tree_free)

/* SP_PROBLEM_INTEGRITY: it is not whole, or has anything else in it. */
SpAuditTree *sp_audit_tree_parse (const char *text, gsize length, GError **error);
char *sp_audit_tree_text (const SpAuditTree *tree);

const SpAuditEntry *sp_audit_tree_find (const SpAuditTree *tree, guint part, const char *path);
const SpAuditPart *sp_audit_tree_part (const SpAuditTree *tree, guint number);
/* The number of the partition with the system on it: the first that has /etc/passwd.  0: none. */
guint sp_audit_tree_root (const SpAuditTree *tree);

/* What was kept of @path; NULL: nothing. */
GBytes *sp_audit_tree_kept (const SpAuditTree *tree, guint part, const char *path);
void sp_audit_tree_keep (SpAuditTree *tree, guint part, const char *path, GBytes *content);

/* Each takes what it is given; FALSE: it is there already, or there are too many. */
gboolean sp_audit_tree_add (SpAuditTree *tree, SpAuditEntry *entry);
void sp_audit_tree_add_part (SpAuditTree *tree, SpAuditPart *part);
void
sp_audit_tree_add_gap (SpAuditTree *tree, const char *name, guint64 length, const char *sha256);

void sp_audit_entry_free (SpAuditEntry *entry);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (SpAuditEntry, sp_audit_entry_free)
SpAuditEntry *sp_audit_entry_copy (const SpAuditEntry *entry);
/* The line, without its end. */
char *sp_audit_entry_line (const SpAuditEntry *entry);
gboolean sp_audit_entry_equal (const SpAuditEntry *a, const SpAuditEntry *b);

/* Bytes as a word, and back; NULL: it is none. */
char *sp_audit_escape (const char *bytes);
char *sp_audit_unescape (const char *word);
/* Absolute, without empty, "." and ".." parts, and not too long. */
gboolean sp_audit_path_is_plain (const char *path);
gboolean sp_audit_is_sha256 (const char *text);
