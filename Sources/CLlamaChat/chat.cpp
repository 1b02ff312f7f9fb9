#include "CLlamaChat.h"

#include <chrono>
#include <climits>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <memory>
#include <string>
#include <utility>

#include "chat-auto-parser.h"
#include "chat.h"
#include "llama.h"
#include "log.h"

struct switchyard_chat_templates {
    common_chat_templates_ptr templates;
    std::string source;
    // Whether llama-common has rules of its own for this template, which also change the messages.
    bool is_specialized = true;
};

struct switchyard_chat_request {
    common_chat_templates_inputs inputs;
    bool prompt_only = false;
};

struct switchyard_chat_result {
    common_chat_params params;
};

namespace {

void report(char **error, const char *message) noexcept {
    if (error != nullptr) {
        *error = strdup(message);
    }
}

// Runs `body`; when it throws, stores the message and returns `failure`.
template <typename Body, typename Failure>
auto guarded(char **error, Failure failure, Body body) noexcept -> decltype(body()) {
    try {
        return body();
    } catch (const std::exception &exception) {
        report(error, exception.what());
    } catch (...) {
        report(error, "unknown exception");
    }
    return failure;
}

bool is_specialized(const std::string &source) {
    common_chat_msg message;
    message.role = "user";
    message.content = "test";
    autoparser::generation_params params;
    params.messages = common_chat_msgs_to_json_oaicompat({message});
    params.add_generation_prompt = true;
    const common_chat_template parsed(source, "", "");
    try {
        return common_chat_try_specialized_template(parsed, source, params).has_value();
    } catch (...) {
        // Only rules of its own can fail here.
        return true;
    }
}

}  // namespace

extern "C" {

void switchyard_string_free(char *string) {
    std::free(string);
}

void switchyard_chat_quiet(void) {
    common_log_set_verbosity_thold(LOG_LEVEL_ERROR);
}

switchyard_chat_templates *switchyard_chat_templates_open(
    const llama_model *model, const char *source, size_t source_length, char **error) {
    if (model == nullptr && source_length == 0) {
        report(error, "neither a model nor a template was given");
        return nullptr;
    }
    return guarded(error, nullptr, [&]() -> switchyard_chat_templates * {
        auto opened = std::make_unique<switchyard_chat_templates>();
        opened->templates =
            common_chat_templates_init(model, std::string(source, source_length));
        opened->source = common_chat_templates_source(opened->templates.get());
        opened->is_specialized = is_specialized(opened->source);
        return opened.release();
    });
}

void switchyard_chat_templates_free(switchyard_chat_templates *templates) {
    delete templates;
}

bool switchyard_chat_templates_explicit(const switchyard_chat_templates *templates) {
    return common_chat_templates_was_explicit(templates->templates.get());
}

const char *switchyard_chat_templates_source(
    const switchyard_chat_templates *templates, size_t *length) {
    *length = templates->source.size();
    return templates->source.data();
}

switchyard_chat_request *switchyard_chat_request_new(void) {
    return guarded(nullptr, nullptr, []() { return new switchyard_chat_request(); });
}

void switchyard_chat_request_free(switchyard_chat_request *request) {
    delete request;
}

bool switchyard_chat_request_add_message(switchyard_chat_request *request, const char *role) {
    return guarded(nullptr, false, [&]() {
        common_chat_msg message;
        message.role = role;
        request->inputs.messages.push_back(std::move(message));
        return true;
    });
}

bool switchyard_chat_request_set_field(
    switchyard_chat_request *request, switchyard_chat_field field, const char *text,
    size_t length) {
    return guarded(nullptr, false, [&]() {
        if (request->inputs.messages.empty()) {
            return false;
        }
        common_chat_msg &message = request->inputs.messages.back();
        switch (field) {
            case SWITCHYARD_CHAT_CONTENT:
                message.content.assign(text, length);
                return true;
            case SWITCHYARD_CHAT_REASONING_CONTENT:
                message.reasoning_content.assign(text, length);
                return true;
            case SWITCHYARD_CHAT_TOOL_NAME:
                message.tool_name.assign(text, length);
                return true;
            case SWITCHYARD_CHAT_TOOL_CALL_ID:
                message.tool_call_id.assign(text, length);
                return true;
        }
        return false;
    });
}

void switchyard_chat_request_set_generation_prompt(switchyard_chat_request *request, bool add) {
    request->inputs.add_generation_prompt = add;
}

void switchyard_chat_request_set_thinking(switchyard_chat_request *request, bool enable) {
    request->inputs.enable_thinking = enable;
}

void switchyard_chat_request_set_prompt_only(switchyard_chat_request *request, bool prompt_only) {
    request->prompt_only = prompt_only;
}

switchyard_chat_result *switchyard_chat_apply(
    const switchyard_chat_templates *templates, const switchyard_chat_request *request,
    char **error) {
    return guarded(error, nullptr, [&]() -> switchyard_chat_result * {
        common_chat_templates_inputs inputs = request->inputs;
        inputs.now = std::chrono::system_clock::now();
        // The same prompt, without deriving a parser of the answer from the template each time.
        inputs.force_pure_content = request->prompt_only && !templates->is_specialized;
        auto result = std::make_unique<switchyard_chat_result>();
        result->params = common_chat_templates_apply(templates->templates.get(), inputs);
        return result.release();
    });
}

void switchyard_chat_result_free(switchyard_chat_result *result) {
    delete result;
}

const char *switchyard_chat_result_part(
    const switchyard_chat_result *result, switchyard_chat_part part, size_t *length) {
    const std::string *text = &result->params.prompt;
    switch (part) {
        case SWITCHYARD_CHAT_PROMPT:
            break;
        case SWITCHYARD_CHAT_GENERATION_PROMPT:
            text = &result->params.generation_prompt;
            break;
        case SWITCHYARD_CHAT_GRAMMAR:
            text = &result->params.grammar;
            break;
        case SWITCHYARD_CHAT_PARSER:
            text = &result->params.parser;
            break;
    }
    *length = text->size();
    return text->data();
}

int32_t switchyard_tokenize(
    const llama_vocab *vocab, const char *text, int32_t text_length, int32_t *tokens,
    int32_t capacity, bool add_special, bool parse_special, char **error) {
    return guarded(error, INT32_MIN, [&]() {
        return llama_tokenize(
            vocab, text, text_length, tokens, capacity, add_special, parse_special);
    });
}

}  // extern "C"
