// libllama's tokens of texts, to compare other tokenizers with.
//
//     tokenize MODEL
//
// Standard input: texts, each after its length in bytes (8 bytes, little endian). Standard output: a
// line of token ids for each one. Spellings of special tokens become those tokens; nothing is added.

#include <llama.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

static _Noreturn void fail(const char *message) {
    fprintf(stderr, "tokenize: %s\n", message);
    exit(1);
}

static void show_errors(enum ggml_log_level level, const char *text, void *context) {
    (void) context;
    if (level == GGML_LOG_LEVEL_ERROR) fputs(text, stderr);
}

int main(int count, char **arguments) {
    if (count != 2) fail("usage: tokenize MODEL");
    llama_log_set(show_errors, NULL);
    struct llama_model_params parameters = llama_model_default_params();
    parameters.vocab_only = true;
    struct llama_model *model = llama_model_load_from_file(arguments[1], parameters);
    if (model == NULL) fail("cannot load the model");
    const struct llama_vocab *vocabulary = llama_model_get_vocab(model);
    uint64_t length;
    while (fread(&length, sizeof length, 1, stdin) == 1) {
        if (length > 1 << 26) fail("text too long");
        char *text = malloc(length + 1);
        llama_token *tokens = malloc((length + 8) * sizeof *tokens);
        if (text == NULL || tokens == NULL) fail("out of memory");
        if (fread(text, 1, length, stdin) != length) fail("text cut short");
        const int32_t found = llama_tokenize(
            vocabulary, text, (int32_t) length, tokens, (int32_t) length + 8, false, true);
        if (found < 0) fail("more tokens than bytes");
        for (int32_t index = 0; index < found; index++) printf("%d ", tokens[index]);
        putchar('\n');
        free(tokens);
        free(text);
    }
    llama_model_free(model);
    return 0;
}
