// JavaScript, contained: an engine of its own memory, with limits, and with no way to files, to the
// network or to other threads but through the functions that it is given.
//
// An engine and its values belong to one thread at a time. Values must be gone before their engine.
#pragma once

#include <quickjs.h>

#include <chrono>
#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

namespace biwa::script {

struct Limits {
    std::size_t memory_bytes_max = 256 << 20;
    std::size_t stack_bytes_max = 1 << 20;
    std::chrono::milliseconds time_max{30'000};  // of all that the engine is asked to do
};

// A place in a source file. Lines and columns count from 1, columns in bytes; line 0: somewhere
// there. The engine knows the places of calls, and of much else only that of what is around it.
struct Place {
    std::string file;
    int line = 0;
    int column = 0;
};

// A JavaScript value, kept from being freed while this lives.
class Value {
  public:
    Value() = default;
    Value(JSContext* context, JSValue owned) : context_(context), value_(owned) {}
    Value(const Value& other);
    Value(Value&& other) noexcept;
    Value& operator=(Value other) noexcept;
    ~Value();

    bool IsUndefined() const { return JS_IsUndefined(value_); }
    bool IsNull() const { return JS_IsNull(value_); }
    bool IsBool() const { return JS_IsBool(value_); }
    bool IsNumber() const { return JS_IsNumber(value_) || JS_IsBigInt(value_); }
    bool IsText() const { return JS_IsString(value_); }
    bool IsObject() const { return JS_IsObject(value_); }  // arrays and functions, too
    bool IsArray() const { return JS_IsArray(value_); }
    bool IsFunction() const { return context_ != nullptr && JS_IsFunction(context_, value_); }
    bool truth() const { return JS_VALUE_GET_BOOL(value_); }  // of a bool
    JSValueConst raw() const { return value_; }

  private:
    JSContext* context_ = nullptr;
    JSValue value_ = JS_UNDEFINED;
};

// What was thrown.
struct Failure {
    std::string message;  // one line: "TypeError: x is not a function"
    std::vector<Place>
        trace;     // innermost first; empty when something else than an Error was thrown
    Value thrown;  // undefined: the failure does not come from JavaScript
};

template <typename T>
using Outcome = tl::expected<T, Failure>;

// A piece of a program: of a source file, from `line` and `column` on, or (line 0) between those.
struct Piece {
    std::string_view text;
    int line = 0;
    int column = 1;
};

class Engine {
  public:
    // What JavaScript calls; a Failure becomes an Error that is thrown.
    using Native = std::function<Outcome<Value>(std::span<const Value> arguments)>;

    explicit Engine(Limits limits);
    ~Engine();
    Engine(const Engine&) = delete;
    Engine& operator=(const Engine&) = delete;

    // The value of the program made of the pieces. Failures tell places of `file` as the pieces do.
    Outcome<Value> Evaluate(const std::string& file, std::span<const Piece> pieces);
    Outcome<Value> Call(const Value& function, std::span<const Value> arguments);

    Outcome<Value> Get(const Value& object, std::string_view key);
    Outcome<Value> Get(const Value& array, std::uint32_t index);
    Outcome<std::uint32_t> Length(const Value& array);
    // Of the object itself, as for (key in object) gives them.
    Outcome<std::vector<std::string>> Keys(const Value& object);
    Outcome<void> Set(const Value& object, std::string_view key, const Value& value);
    // As `${value}` does.
    Outcome<std::string> ToText(const Value& value);
    Outcome<double> ToNumber(const Value& value);

    Value Global();
    Value MakeText(std::string_view text);
    Value MakeBool(bool truth);
    Value MakeObject();
    Value MakeFunction(const char* name, Native native);
    Outcome<Value> ParseJson(const std::string& file, const std::string& text);

    // A stack trace as Error.stack has it.
    std::vector<Place> ReadTrace(std::string_view stack) const;

    // The time was up once: whatever is asked from now on fails.
    bool is_out_of_time() const { return is_out_of_time_; }

  private:
    class Running;
    struct Line {  // of what was evaluated: which line of the source file it is, and where that
                   // begins
        int evaluated = 0;
        int line = 0;
        int column = 1;
    };
    static int OnInterrupt(JSRuntime* runtime, void* engine);
    static JSValue OnNative(JSContext* context, JSValueConst self, int count, JSValueConst* given,
                            int index, JSValueConst* data);

    Outcome<Value> Take(JSValue result);
    Failure TakeFailure();
    std::string Describe(JSValueConst thrown);
    Place ToSource(Place place) const;

    const Limits limits_;
    JSRuntime* runtime_;
    JSContext* context_;
    std::vector<std::unique_ptr<Native>> natives_;
    std::map<std::string, std::vector<Line>, std::less<>> lines_;  // by file
    int running_ = 0;                                              // calls within calls
    std::chrono::steady_clock::duration time_left_;
    std::chrono::steady_clock::time_point deadline_;
    bool is_out_of_time_ = false;
    std::vector<Place> interrupted_in_;  // files, innermost first
};

}  // namespace biwa::script
