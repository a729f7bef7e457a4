#include "script/engine.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <exception>
#include <utility>

#include "base/check.h"
#include "base/text.h"

namespace biwa::script {

namespace {

constexpr std::size_t kMessageBytesMax = 500;

// A message of one line that is not endless: whoever throws it may write anything.
std::string OneLine(std::string text) {
    if (text.size() > kMessageBytesMax) {
        std::size_t cut = kMessageBytesMax;
        while (cut > 0 && (text[cut] & 0xC0) == 0x80) --cut;
        text.resize(cut);
        text += "…";
    }
    std::replace_if(
        text.begin(), text.end(), [](unsigned char c) { return c < 0x20; }, ' ');
    return text;
}

}  // namespace

Value::Value(const Value& other)
    : context_(other.context_),
      value_(other.context_ == nullptr ? other.value_ : JS_DupValue(other.context_, other.value_)) {
}

Value::Value(Value&& other) noexcept
    : context_(std::exchange(other.context_, nullptr)),
      value_(std::exchange(other.value_, JS_UNDEFINED)) {}

Value& Value::operator=(Value other) noexcept {
    std::swap(context_, other.context_);
    std::swap(value_, other.value_);
    return *this;
}

Value::~Value() {
    if (context_ != nullptr) JS_FreeValue(context_, value_);
}

// While it lives, JavaScript may run: the clock ticks, and the stack is measured from here.
class Engine::Running {
  public:
    explicit Running(Engine& engine) : engine_(engine) {
        if (engine_.running_++ > 0) return;
        JS_UpdateStackTop(engine_.runtime_);
        engine_.deadline_ = std::chrono::steady_clock::now() + engine_.time_left_;
    }
    ~Running() {
        if (--engine_.running_ > 0) return;
        engine_.time_left_ = engine_.deadline_ - std::chrono::steady_clock::now();
    }
    Running(const Running&) = delete;
    Running& operator=(const Running&) = delete;

  private:
    Engine& engine_;
};

Engine::Engine(Limits limits)
    : limits_(limits), runtime_(JS_NewRuntime()), time_left_(limits.time_max) {
    BIWA_CHECK(runtime_ != nullptr);
    JS_SetMemoryLimit(runtime_, limits_.memory_bytes_max);
    JS_SetMaxStackSize(runtime_, limits_.stack_bytes_max);
    JS_SetInterruptHandler(runtime_, &Engine::OnInterrupt, this);
    context_ = JS_NewContext(runtime_);
    BIWA_CHECK(context_ != nullptr);
    JS_SetContextOpaque(context_, this);
}

Engine::~Engine() {
    JS_FreeContext(context_);
    JS_FreeRuntime(runtime_);
}

int Engine::OnInterrupt(JSRuntime*, void* engine) {
    auto& self = *static_cast<Engine*>(engine);
    if (self.is_out_of_time_) return 1;
    if (std::chrono::steady_clock::now() < self.deadline_) return 0;
    self.is_out_of_time_ = true;
    // What is thrown now has no stack trace; the files can be told all the same.
    constexpr int kLevelsMax = 16;
    for (int level = 0; level < kLevelsMax; ++level) {
        const auto name = JS_GetScriptOrModuleName(self.context_, level);
        if (name == JS_ATOM_NULL) continue;
        if (const char* text = JS_AtomToCString(self.context_, name)) {
            self.interrupted_in_.push_back({text, 0, 0});
            JS_FreeCString(self.context_, text);
        }
        JS_FreeAtom(self.context_, name);
    }
    return 1;
}

Outcome<Value> Engine::Evaluate(const std::string& file, std::span<const Piece> pieces) {
    std::string program;
    std::vector<Line> lines;
    int line = 1;
    for (const auto& piece : pieces) {
        // Each piece of the source begins a line, so that the places in it can be told.
        if (!program.empty() && (piece.line > 0 || lines.empty() || lines.back().line > 0)) {
            program += '\n';
            ++line;
        }
        lines.push_back({line, piece.line, piece.column});
        program += piece.text;
        line += static_cast<int>(std::count(piece.text.begin(), piece.text.end(), '\n'));
    }
    lines_[file] = std::move(lines);

    const Running running(*this);
    if (is_out_of_time_) return tl::unexpected(TakeFailure());
    return Take(
        JS_Eval(context_, program.c_str(), program.size(), file.c_str(), JS_EVAL_TYPE_GLOBAL));
}

Outcome<Value> Engine::Call(const Value& function, std::span<const Value> arguments) {
    const Running running(*this);
    if (is_out_of_time_) return tl::unexpected(TakeFailure());
    std::vector<JSValueConst> raw;
    for (const auto& argument : arguments) raw.push_back(argument.raw());
    return Take(
        JS_Call(context_, function.raw(), JS_UNDEFINED, static_cast<int>(raw.size()), raw.data()));
}

Outcome<Value> Engine::Get(const Value& object, std::string_view key) {
    const Running running(*this);
    const auto atom = JS_NewAtomLen(context_, key.data(), key.size());
    auto found = Take(JS_GetProperty(context_, object.raw(), atom));
    JS_FreeAtom(context_, atom);
    return found;
}

Outcome<Value> Engine::Get(const Value& array, std::uint32_t index) {
    const Running running(*this);
    return Take(JS_GetPropertyUint32(context_, array.raw(), index));
}

Outcome<std::uint32_t> Engine::Length(const Value& array) {
    const Running running(*this);
    std::int64_t length = 0;
    if (JS_GetLength(context_, array.raw(), &length) < 0) return tl::unexpected(TakeFailure());
    return static_cast<std::uint32_t>(std::clamp<std::int64_t>(length, 0, UINT32_MAX));
}

Outcome<std::vector<std::string>> Engine::Keys(const Value& object) {
    const Running running(*this);
    JSPropertyEnum* table = nullptr;
    std::uint32_t count = 0;
    if (JS_GetOwnPropertyNames(context_, &table, &count, object.raw(),
                               JS_GPN_STRING_MASK | JS_GPN_ENUM_ONLY) < 0) {
        return tl::unexpected(TakeFailure());
    }
    std::vector<std::string> keys;
    for (std::uint32_t i = 0; i < count; ++i) {
        std::size_t size = 0;
        const char* text = JS_AtomToCStringLen(context_, &size, table[i].atom);
        if (text == nullptr) {
            JS_FreePropertyEnum(context_, table, count);
            return tl::unexpected(TakeFailure());
        }
        keys.emplace_back(text, size);
        JS_FreeCString(context_, text);
    }
    JS_FreePropertyEnum(context_, table, count);
    return keys;
}

Outcome<void> Engine::Set(const Value& object, std::string_view key, const Value& value) {
    const Running running(*this);
    const auto atom = JS_NewAtomLen(context_, key.data(), key.size());
    const int set =
        JS_SetProperty(context_, object.raw(), atom, JS_DupValue(context_, value.raw()));
    JS_FreeAtom(context_, atom);
    if (set < 0) return tl::unexpected(TakeFailure());
    return {};
}

Outcome<std::string> Engine::ToText(const Value& value) {
    const Running running(*this);
    std::size_t size = 0;
    const char* text = JS_ToCStringLen(context_, &size, value.raw());
    if (text == nullptr) return tl::unexpected(TakeFailure());
    std::string copy(text, size);
    JS_FreeCString(context_, text);
    return copy;
}

Outcome<double> Engine::ToNumber(const Value& value) {
    const Running running(*this);
    double number = 0;
    const int done = JS_IsBigInt(value.raw()) ? [&] {
        std::int64_t whole = 0;
        const int read = JS_ToBigInt64(context_, &whole, value.raw());
        number = static_cast<double>(whole);
        return read;
    }()
                                              : JS_ToFloat64(context_, &number, value.raw());
    if (done < 0) return tl::unexpected(TakeFailure());
    return number;
}

Value Engine::Global() { return {context_, JS_GetGlobalObject(context_)}; }

// Where no memory is left these come to undefined or less; what is done with them fails then.
Value Engine::MakeText(std::string_view text) {
    return {context_, JS_NewStringLen(context_, text.data(), text.size())};
}
Value Engine::MakeBool(bool truth) { return {context_, JS_NewBool(context_, truth)}; }
Value Engine::MakeObject() { return {context_, JS_NewObject(context_)}; }

Value Engine::MakeFunction(const char* name, Native native) {
    natives_.push_back(std::make_unique<Native>(std::move(native)));
    return {context_, JS_NewCFunctionData2(context_, &Engine::OnNative, name, 0,
                                           static_cast<int>(natives_.size()) - 1, 0, nullptr)};
}

JSValue Engine::OnNative(JSContext* context, JSValueConst, int count, JSValueConst* given,
                         int index, JSValueConst*) {
    auto& self = *static_cast<Engine*>(JS_GetContextOpaque(context));
    // No exception may pass through the engine's C.
    try {
        std::vector<Value> arguments;
        for (int i = 0; i < count; ++i)
            arguments.emplace_back(context, JS_DupValue(context, given[i]));
        auto result = (*self.natives_[index])(arguments);
        if (result) return JS_DupValue(context, result->raw());
        const auto& thrown = result.error().thrown;
        if (!thrown.IsUndefined()) return JS_Throw(context, JS_DupValue(context, thrown.raw()));
        return JS_ThrowPlainError(context, "%s", result.error().message.c_str());
    } catch (const std::exception& error) {
        return JS_ThrowPlainError(context, "%s", error.what());
    }
}

Outcome<Value> Engine::ParseJson(const std::string& file, const std::string& text) {
    const Running running(*this);
    lines_[file] = {{1, 1, 1}};
    return Take(JS_ParseJSON(context_, text.c_str(), text.size(), file.c_str()));
}

Outcome<Value> Engine::Take(JSValue result) {
    if (JS_IsException(result)) return tl::unexpected(TakeFailure());
    return Value(context_, result);
}

Failure Engine::TakeFailure() {
    Failure failure;
    failure.thrown = Value(context_, JS_GetException(context_));
    const auto& thrown = failure.thrown;
    failure.message = Describe(thrown.raw());
    // Or while it was described: its text may be JavaScript's work, too.
    if (is_out_of_time_) {
        failure.message = fmt::format("the project's JavaScript did not finish within {}",
                                      HumanSeconds(limits_.time_max.count() / 1000.0));
        failure.trace = interrupted_in_;
        return failure;
    }
    if (!JS_IsError(thrown.raw())) return failure;
    const Value stack(context_, JS_GetPropertyStr(context_, thrown.raw(), "stack"));
    if (stack.IsText()) {
        if (const char* text = JS_ToCString(context_, stack.raw())) {
            failure.trace = ReadTrace(text);
            JS_FreeCString(context_, text);
        }
    }
    JS_FreeValue(context_, JS_GetException(context_));  // of what was asked of the thrown value
    return failure;
}

std::string Engine::Describe(JSValueConst thrown) {
    const char* text = JS_ToCString(context_, thrown);
    if (text == nullptr) {
        JS_FreeValue(context_, JS_GetException(context_));
        return "something was thrown that is no Error and has no text";
    }
    auto message = OneLine(text);
    JS_FreeCString(context_, text);
    // Without memory for an Error the engine throws null.
    if (JS_IsNull(thrown)) {
        return fmt::format("null was thrown, as it is when all memory ({}) is taken",
                           HumanBytes(limits_.memory_bytes_max));
    }
    if (!JS_IsError(thrown)) return fmt::format("\"{}\" was thrown, which is no Error", message);
    if (message == "InternalError: out of memory") {
        message += fmt::format(": the project's JavaScript may take {}",
                               HumanBytes(limits_.memory_bytes_max));
    }
    return message;
}

// Lines "    at name (file:line:column)", and "    at file:line:column" for what cannot be parsed.
std::vector<Place> Engine::ReadTrace(std::string_view stack) const {
    std::vector<Place> trace;
    while (!stack.empty()) {
        auto line = stack.substr(0, stack.find('\n'));
        stack.remove_prefix(std::min(stack.size(), line.size() + 1));
        line = Trim(line);
        if (line.ends_with(')')) {
            const auto open = line.rfind(" (");
            if (open == std::string_view::npos) continue;
            line = line.substr(open + 2, line.size() - open - 3);
        } else if (line.starts_with("at ")) {
            line.remove_prefix(3);
        }
        Place place;
        const auto cut_number = [&line](int& number) {
            const auto colon = line.rfind(':');
            if (colon == std::string_view::npos) return false;
            const auto digits = line.substr(colon + 1);
            const auto [end, error] =
                std::from_chars(digits.data(), digits.data() + digits.size(), number);
            line = line.substr(0, colon);
            return error == std::errc() && end == digits.data() + digits.size();
        };
        if (!cut_number(place.column) || !cut_number(place.line)) continue;
        place.file = line;
        place = ToSource(std::move(place));
        if (place.line > 0) trace.push_back(std::move(place));
    }
    return trace;
}

Place Engine::ToSource(Place place) const {
    const auto found = lines_.find(place.file);
    if (found == lines_.end()) return place;
    const auto& lines = found->second;
    auto line = std::upper_bound(lines.begin(), lines.end(), place.line,
                                 [](int at, const Line& other) { return at < other.evaluated; });
    if (line == lines.begin()) return place;
    --line;
    // Between pieces: what is wrong is the end of the one before (something that is not closed).
    if (line->line == 0) return Place{place.file, 0, 0};
    if (place.line == line->evaluated) place.column += line->column - 1;
    place.line = line->line + place.line - line->evaluated;
    return place;
}

}  // namespace biwa::script
