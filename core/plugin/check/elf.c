/* elf.c - elf.h, for the 64-bit little-endian format of this machine */
#include "plugin/check/elf.h"

#include <elf.h>
#include <string.h>

#include "base/problem.h"

#define MAX_FILE (512u * 1024u * 1024u)
#define MAX_SYMBOLS 1000000u

#define fail(error, ...) (g_set_error ((error), SP_PROBLEM, SP_PROBLEM_CONFIG, __VA_ARGS__), FALSE)

typedef struct {
  const guint8 *data;
  gsize length;
} File;

/* @count things of @size bytes at @offset, copied to @to (which may be unaligned in the file), or FALSE. */
static gboolean
read_at (const File *file, guint64 offset, gpointer to, gsize size)
{
  if (offset > file->length || size > file->length - offset)
    return FALSE;
  memcpy (to, file->data + offset, size);
  return TRUE;
}

static gboolean
check_header (const File *file, Elf64_Ehdr *header, GError **error)
{
  if (!read_at (file, 0, header, sizeof *header) || memcmp (header->e_ident, ELFMAG, SELFMAG) != 0)
    return fail (error, "it is no ELF file: not compiled code but something else");
  if (header->e_ident[EI_CLASS] != ELFCLASS64 || header->e_ident[EI_DATA] != ELFDATA2LSB ||
      header->e_machine != EM_X86_64)
    return fail (error, "it is built for another machine (ELF machine %u), not for x86-64",
                 header->e_machine);
  if (header->e_type != ET_DYN)
    return fail (error, "it is no shared object but an ELF file of type %u", header->e_type);
  if (header->e_shoff == 0 || header->e_shentsize != sizeof (Elf64_Shdr))
    return fail (error, "it has no section headers, so that its symbols can't be read");
  return TRUE;
}

static gboolean
read_section (const File *file, const Elf64_Ehdr *header, guint32 i, Elf64_Shdr *section)
{
  return i < header->e_shnum &&
         read_at (file, header->e_shoff + (guint64) i * sizeof *section, section, sizeof *section);
}

static gboolean
find_symbols (const File *file, const Elf64_Ehdr *header, Elf64_Shdr *symbols, Elf64_Shdr *names)
{
  for (guint32 i = 0; i < header->e_shnum; i++)
    if (read_section (file, header, i, symbols) && symbols->sh_type == SHT_DYNSYM)
      return symbols->sh_entsize == sizeof (Elf64_Sym) &&
             read_section (file, header, symbols->sh_link, names);
  return FALSE;
}

static gboolean
is_exported (const Elf64_Sym *symbol)
{
  guint8 bind = ELF64_ST_BIND (symbol->st_info);
  guint8 visibility = ELF64_ST_VISIBILITY (symbol->st_other);

  return symbol->st_shndx != SHN_UNDEF && bind != STB_LOCAL &&
         (visibility == STV_DEFAULT || visibility == STV_PROTECTED);
}

/* What linkers and sanitizers add by themselves. */
static gboolean
is_of_the_tools (const char *name)
{
  static const char *const names[] = { "_init", "_fini", "_edata", "_end", "__bss_start", NULL };

  return g_strv_contains (names, name) || g_str_has_prefix (name, "__odr_asan") ||
         g_str_has_prefix (name, "__asan_") || g_str_has_prefix (name, "__ubsan_");
}

/* The string at @offset in the section @names; NULL: it is none. */
static const char *
name_at (const File *file, const Elf64_Shdr *names, guint32 offset)
{
  const guint8 *start;

  if (names->sh_offset > file->length || names->sh_size > file->length - names->sh_offset ||
      offset >= names->sh_size)
    return NULL;
  start = file->data + names->sh_offset + offset;
  return memchr (start, 0, names->sh_size - offset) != NULL ? (const char *) start : NULL;
}

static char **
list_exports (const File *file, const Elf64_Shdr *symbols, const Elf64_Shdr *names, GError **error)
{
  g_autoptr (GPtrArray) found = g_ptr_array_new_with_free_func (g_free);
  guint64 n = symbols->sh_size / sizeof (Elf64_Sym);

  for (guint64 i = 0; i < n; i++) {
    const char *name;
    Elf64_Sym symbol;

    if (n > MAX_SYMBOLS ||
        !read_at (file, symbols->sh_offset + i * sizeof symbol, &symbol, sizeof symbol) ||
        (name = name_at (file, names, symbol.st_name)) == NULL) {
      (void) fail (error, "its table of symbols is damaged");
      return NULL;
    }
    if (is_exported (&symbol) && !is_of_the_tools (name))
      g_ptr_array_add (found, g_strdup (name));
  }
  g_ptr_array_add (found, NULL);
  return (char **) g_ptr_array_free (g_steal_pointer (&found), FALSE);
}

char **
sp_elf_exports (const char *path, GError **error)
{
  g_autoptr (GMappedFile) mapped = g_mapped_file_new (path, FALSE, error);
  Elf64_Shdr symbols, names;
  Elf64_Ehdr header;
  File file;

  if (mapped == NULL)
    return NULL;
  file = (File){ .data = (const guint8 *) g_mapped_file_get_contents (mapped),
                 .length = g_mapped_file_get_length (mapped) };
  if (file.length > MAX_FILE) {
    (void) fail (error, "it has %" G_GSIZE_FORMAT " bytes; %u are the most", file.length, MAX_FILE);
    return NULL;
  }
  if (!check_header (&file, &header, error))
    return NULL;
  if (find_symbols (&file, &header, &symbols, &names))
    return list_exports (&file, &symbols, &names, error);
  (void) fail (error, "it has no table of dynamic symbols");
  return NULL;
}
