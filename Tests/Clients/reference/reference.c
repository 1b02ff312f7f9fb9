// A plain greedy driver on libllama, to compare the server with: one sequence, alone in the batch,
// no scheduler, no template engine, no tokenizer code of the server's.
//
//     reference MODEL CONTEXT BATCH SEQUENCES THREADS CHUNK TAIL TOKENS CONVERSATION...
//
// CONTEXT, BATCH (also the micro batch), SEQUENCES and THREADS are those of the worker's context.
// A prompt is computed in chunks of CHUNK tokens, the last ones cut so that none is under TAIL;
// only its last token asks for logits. Each CONVERSATION is a file: system text, NUL, user text. For
// each one a line of JSON: the tokens of the answer (an end-of-generation token included, which ends it), their bytes
// in hexadecimal, their log-probabilities, and the gap between the two largest logits.

#include <ggml-cpu.h>
#include <llama.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ANSWER_TOKENS_MAX = 4096, PIECE_BYTES_MAX = 256 };

struct step {
    llama_token token;
    double gap;
    double logprob;
};

static _Noreturn void fail(const char *message, const char *detail) {
    fprintf(stderr, "reference: %s: %s\n", message, detail);
    exit(1);
}

static void show_errors(enum ggml_log_level level, const char *text, void *context) {
    (void) context;
    if (level == GGML_LOG_LEVEL_ERROR) fputs(text, stderr);
}

static int number(const char *text) {
    char *end;
    const long value = strtol(text, &end, 10);
    if (*text == '\0' || *end != '\0' || value < 1 || value > 1 << 24) fail("not a number", text);
    return (int) value;
}

// The whole file with a NUL after it. The caller frees it.
static char *contents(const char *path, size_t *length) {
    FILE *file = fopen(path, "rb");
    if (file == NULL || fseek(file, 0, SEEK_END) != 0) fail("cannot read", path);
    const long size = ftell(file);
    if (size < 0) fail("cannot read", path);
    rewind(file);
    char *bytes = malloc((size_t) size + 1);
    if (bytes == NULL || fread(bytes, 1, (size_t) size, file) != (size_t) size) {
        fail("cannot read", path);
    }
    fclose(file);
    bytes[size] = '\0';
    *length = (size_t) size;
    return bytes;
}

// The conversation in ChatML, by the library's own template code, as tokens. The caller frees them.
static llama_token *prompt_tokens(const struct llama_vocab *vocab, const char *path, int *count) {
    size_t length;
    char *system = contents(path, &length);
    const char *user = system + strlen(system) + 1;
    if (user > system + length) fail("no NUL", path);
    const struct llama_chat_message messages[] = {{"system", system}, {"user", user}};
    const int32_t room = (int32_t) length + 1024;
    char *text = malloc((size_t) room);
    if (text == NULL) fail("no memory", path);
    const int32_t size = llama_chat_apply_template("chatml", messages, 2, true, text, room);
    if (size < 0 || size > room) fail("cannot render", path);
    llama_token *tokens = malloc((size_t) room * sizeof *tokens);
    if (tokens == NULL) fail("no memory", path);
    *count = llama_tokenize(vocab, text, size, tokens, room, true, true);
    if (*count < 1) fail("cannot tokenize", path);
    free(text);
    free(system);
    return tokens;
}

// Computes tokens at `position` and following; logits for the last one if `wanted`.
static void compute(
    struct llama_context *context, struct llama_batch *batch, const llama_token *tokens, int count,
    int position, bool wanted) {
    for (int i = 0; i < count; i++) {
        batch->token[i] = tokens[i];
        batch->pos[i] = position + i;
        batch->n_seq_id[i] = 1;
        batch->seq_id[i][0] = 0;
        batch->logits[i] = wanted && i == count - 1;
    }
    batch->n_tokens = count;
    if (llama_decode(context, *batch) != 0) fail("llama_decode", "failed");
}

// Of so many tokens left. A rest under `tail` is avoided by a shorter chunk before it; where that
// one would be under `tail` itself, the two are one.
static int next_chunk(int left, int chunk, int tail) {
    if (left <= chunk) return left;
    if (left - chunk >= tail) return chunk;
    return left >= 2 * tail ? left - tail : left;
}

// The most probable token, the lowest of equals.
static struct step greedy(const float *logits, int size) {
    int best = 0;
    for (int i = 1; i < size; i++) {
        if (logits[i] > logits[best]) best = i;
    }
    double second = -INFINITY;
    double sum = 0;
    for (int i = 0; i < size; i++) {
        if (i != best && logits[i] > second) second = logits[i];
        sum += exp((double) logits[i] - logits[best]);
    }
    return (struct step) {best, logits[best] - second, -log(sum)};
}

static void print(
    const struct llama_vocab *vocab, int prompt, const struct step *steps, int count, bool ended) {
    printf("{\"prompt_tokens\":%d,\"ended\":%s,\"tokens\":[", prompt, ended ? "true" : "false");
    for (int i = 0; i < count; i++) {
        char piece[PIECE_BYTES_MAX];
        const int size =
            llama_token_to_piece(vocab, steps[i].token, piece, sizeof piece, 0, false);
        if (size < 0) fail("llama_token_to_piece", "a piece is too long");
        printf("%s{\"id\":%d,\"bytes\":\"", i > 0 ? "," : "", steps[i].token);
        for (int j = 0; j < size; j++) printf("%02x", (unsigned char) piece[j]);
        printf("\",\"logprob\":%.9g,\"gap\":%.9g}", steps[i].logprob, steps[i].gap);
    }
    printf("]}\n");
}

int main(int argc, char **argv) {
    if (argc < 10) fail("arguments", "too few; see the source");
    const int chunk = number(argv[6]);
    const int tail = number(argv[7]);
    const int wanted = number(argv[8]);
    if (wanted > ANSWER_TOKENS_MAX) fail("too many tokens", argv[8]);
    llama_log_set(show_errors, NULL);
    llama_backend_init();

    struct llama_model *model =
        llama_model_load_from_file(argv[1], llama_model_default_params());
    if (model == NULL) fail("cannot load", argv[1]);
    const struct llama_vocab *vocab = llama_model_get_vocab(model);
    struct llama_context_params parameters = llama_context_default_params();
    parameters.n_ctx = (uint32_t) number(argv[2]);
    parameters.n_batch = (uint32_t) number(argv[3]);
    parameters.n_ubatch = parameters.n_batch;
    parameters.n_seq_max = (uint32_t) number(argv[4]);
    parameters.n_outputs_max = parameters.n_seq_max;
    parameters.n_threads = number(argv[5]);
    parameters.n_threads_batch = parameters.n_threads;
    parameters.flash_attn_type = LLAMA_FLASH_ATTN_TYPE_AUTO;
    parameters.kv_unified = false;
    parameters.swa_full = true;
    if (chunk + tail > (int) parameters.n_batch + 1) fail("the batch is too small", argv[6]);
    struct llama_context *context = llama_init_from_model(model, parameters);
    if (context == NULL) fail("cannot make a context", argv[2]);

    // Threads of our own that sleep while they wait: by default they spin, which on a machine with
    // other work to do takes longer. What they compute is the same.
    struct ggml_threadpool_params sleeping = ggml_threadpool_params_default(parameters.n_threads);
    sleeping.poll = 0;
    struct ggml_threadpool *threads = ggml_threadpool_new(&sleeping);
    if (threads != NULL) llama_attach_threadpool(context, threads, threads);

    struct llama_batch batch = llama_batch_init((int32_t) parameters.n_batch, 0, 1);
    static struct step steps[ANSWER_TOKENS_MAX];
    for (int file = 9; file < argc; file++) {
        int length;
        llama_token *prompt = prompt_tokens(vocab, argv[file], &length);
        llama_memory_clear(llama_get_memory(context), true);
        for (int start = 0; start < length;) {
            const int count = next_chunk(length - start, chunk, tail);
            compute(context, &batch, prompt + start, count, start, start + count == length);
            start += count;
        }
        int done = 0;
        bool ended = false;
        while (true) {
            steps[done] = greedy(llama_get_logits_ith(context, -1), llama_vocab_n_tokens(vocab));
            ended = llama_vocab_is_eog(vocab, steps[done].token);
            done++;
            if (ended || done == wanted) break;
            compute(context, &batch, &steps[done - 1].token, 1, length + done - 1, true);
        }
        print(vocab, length, steps, done, ended);
        free(prompt);
    }
    llama_batch_free(batch);
    llama_free(context);
    if (threads != NULL) ggml_threadpool_free(threads);
    llama_model_free(model);
    return 0;
}
