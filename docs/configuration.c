/* Prints docs/configuration.md from the library's own table; with the file's name, says whether it is as it should be. */
#include <kq/kq.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void print_cell(FILE *to, const char *text, int code) {
  fputs(code && text && *text ? "| `" : "| ", to);
  for (const char *at = text ? text : ""; *at; ++at) fprintf(to, *at == '|' ? "\\%c" : "%c", *at);
  fputs(code && text && *text ? "` " : " ", to);
}

static void print_document(FILE *to) {
  fputs("# Configuration of libkq\n\n"
        "Every key of `kq_config_set`, `kq -X` and the configuration file, as `kq config list` prints them. Names are Kafka's; the alias is\n"
        "librdkafka's, where it has another. Times are in milliseconds, sizes in bytes. Producer, consumer and admin know each other's keys.\n\n"
        "| name | type | default | allowed | alias | meaning |\n|---|---|---|---|---|---|\n", to);
  for (size_t i = 0; kq_option_at(i); ++i) {
    const kq_option *option = kq_option_at(i);
    print_cell(to, option->name, 1);
    print_cell(to, option->type, 0);
    print_cell(to, option->default_value, 1);
    print_cell(to, option->allowed, 1);
    print_cell(to, option->alias, 1);
    print_cell(to, option->doc, 0);
    fputs("|\n", to);
  }
}

static char *read_all(FILE *from) {
  size_t used = 0, room = 1 << 20;
  char *text = malloc(room);
  if (!text) exit(1);
  used = fread(text, 1, room - 1, from);
  text[used] = 0;
  return text;
}

int main(int argc, char **argv) {
  if (argc < 2) return print_document(stdout), 0;
  FILE *kept = fopen(argv[1], "r"), *made = tmpfile();
  if (!kept || !made) return perror(argv[1]), 1;
  print_document(made);
  rewind(made);
  char *one = read_all(kept), *other = read_all(made);
  const int differs = strcmp(one, other) != 0;
  if (differs) fprintf(stderr, "%s is not what the library's options say: write it anew with `%s >%s`\n", argv[1], argv[0], argv[1]);
  free(one), free(other);
  fclose(kept), fclose(made);
  return differs;
}
