#include "script/engine.h"

#include <gtest/gtest.h>

#include <array>

namespace biwa::script {
namespace {

constexpr Limits kSmall{32 << 20, 512 << 10, std::chrono::milliseconds(1000)};
// To fill the memory takes seconds under ThreadSanitizer.
constexpr Limits kPatient{32 << 20, 512 << 10, std::chrono::milliseconds(60'000)};

Outcome<std::string> Eval(Engine& engine, std::string_view text) {
    const std::array<Piece, 1> pieces = {Piece{text, 1}};
    const auto value = engine.Evaluate("x.js", pieces);
    if (!value) return tl::unexpected(value.error());
    return engine.ToText(*value);
}

std::string MessageOf(std::string_view text, const Limits& limits = kSmall) {
    Engine engine(limits);
    const auto result = Eval(engine, text);
    return result ? "no error: " + *result : result.error().message;
}

TEST(EngineTest, Evaluates) {
    Engine engine(kSmall);
    EXPECT_EQ(Eval(engine, "[1, 'a', `${1 + 1}`].join()").value(), "1,a,2");
    EXPECT_EQ(Eval(engine, "'日本' + /^.$/u.test('𠮷')").value(), "日本true");
    EXPECT_EQ(Eval(engine, "typeof std + typeof os + typeof process + typeof fetch").value(),
              "undefinedundefinedundefinedundefined");
}

TEST(EngineTest, TellsThePlaceInTheSource) {
    Engine engine(kSmall);
    const std::array<Piece, 4> pieces = {Piece{"(() => {"}, Piece{"\nlet a = 1;\n  b();", 10, 5},
                                         Piece{"f(", 20, 9}, Piece{")})()"}};
    auto failed = engine.Evaluate("m.sqlx", pieces);
    ASSERT_FALSE(failed);
    EXPECT_EQ(failed.error().message, "ReferenceError: b is not defined");
    ASSERT_EQ(failed.error().trace.size(), 1u);
    EXPECT_EQ(failed.error().trace[0].file, "m.sqlx");
    EXPECT_EQ(failed.error().trace[0].line, 12);

    const std::array<Piece, 3> broken = {Piece{"("}, Piece{"1 +* 2", 7, 30}, Piece{")"}};
    failed = engine.Evaluate("m.sqlx", broken);
    ASSERT_FALSE(failed);
    EXPECT_EQ(failed.error().message, "SyntaxError: unexpected token in expression: '*'");
    EXPECT_EQ(failed.error().trace[0].line, 7);
    EXPECT_GE(failed.error().trace[0].column, 30);
}

TEST(EngineTest, DescribesWhateverIsThrown) {
    EXPECT_EQ(MessageOf("throw new TypeError('no\\nway')"), "TypeError: no way");
    EXPECT_EQ(MessageOf("throw 'x'"), "\"x\" was thrown, which is no Error");
    EXPECT_EQ(MessageOf("throw undefined"), "\"undefined\" was thrown, which is no Error");
    EXPECT_EQ(MessageOf("throw Symbol('s')"),
              "something was thrown that is no Error and has no text");
    EXPECT_EQ(MessageOf("throw { toString() { throw 1 } }"),
              "something was thrown that is no Error and has no text");
    EXPECT_EQ(MessageOf("throw new Error('é'.repeat(1e6))").size(), 502u);
    EXPECT_EQ(
        MessageOf("const e = new Error('m'); Object.defineProperty(e, 'stack', {get() { throw "
                  "1 }}); throw e"),
        "Error: m");
    EXPECT_EQ(MessageOf("Error.prepareStackTrace = () => { throw 1 }; null.x"),
              "TypeError: cannot read property 'x' of null");
}

TEST(EngineTest, EndsWhatDoesNotEnd) {
    const std::string ended = "the project's JavaScript did not finish within 1.0 s";
    EXPECT_EQ(MessageOf("for (;;);"), ended);
    EXPECT_EQ(MessageOf("for (;;) try { for (;;); } catch { } finally { continue }"), ended);
    EXPECT_EQ(MessageOf("/(a+)+$/.test('a'.repeat(40) + 'b')"), ended);
    EXPECT_EQ(MessageOf("[3, 1, 2].sort(() => { for (;;); })"), ended);
    EXPECT_EQ(MessageOf("JSON.stringify({ toJSON() { for (;;); } })"), ended);
    EXPECT_EQ(MessageOf("new Proxy({}, { get() { for (;;); } }).x"), ended);
    EXPECT_EQ(MessageOf("throw { toString() { for (;;); } }"), ended);
    EXPECT_EQ(MessageOf("function* g() { for (;;) yield 1 } for (const x of g());"), ended);
}

TEST(EngineTest, DoesNothingMoreOnceTheTimeIsUp) {
    Engine engine(kSmall);
    EXPECT_FALSE(Eval(engine, "for (;;);"));
    EXPECT_TRUE(engine.is_out_of_time());
    EXPECT_FALSE(Eval(engine, "1"));
}

TEST(EngineTest, BoundsMemoryAndStack) {
    for (const auto* text :
         {"'x'.repeat(2 ** 29)", "const a = []; for (;;) a.push('x'.repeat(1000) + a.length)",
          "new Uint8Array(1e9)",
          "const m = new Map(); for (let i = 0;; i++) m.set(i, new Array(1000).fill(i))"}) {
        // There may be no memory left for an Error.
        const auto message = MessageOf(text, kPatient);
        EXPECT_TRUE(message ==
                        "InternalError: out of memory: the project's JavaScript may take 33.6 MB" ||
                    message == "null was thrown, as it is when all memory (33.6 MB) is taken")
            << text << ": " << message;
    }
    EXPECT_EQ(MessageOf("function f() { return f() + 1 } f()"),
              "RangeError: Maximum call stack size exceeded");
    EXPECT_EQ(MessageOf("let a = []; for (let i = 0; i < 1e5; i++) a = [a]; JSON.stringify(a)"),
              "RangeError: Maximum call stack size exceeded");
    EXPECT_EQ(MessageOf("'('.repeat(1e5) |> 1").substr(0, 11), "SyntaxError");
    EXPECT_EQ(MessageOf("eval('['.repeat(1e5))").substr(0, 10), "RangeError");
    EXPECT_EQ(MessageOf("Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)"),
              "TypeError: cannot block in this thread");
}

TEST(EngineTest, IsUnharmedByAnotherOnesPollution) {
    {
        Engine engine(kSmall);
        EXPECT_TRUE(Eval(engine,
                         "Object.prototype.type = 'view'; Array.prototype.push = null; "
                         "Object.freeze(globalThis)"));
    }
    Engine engine(kSmall);
    EXPECT_EQ(Eval(engine, "({}).type + ' ' + [].push(1)").value(), "undefined 1");
}

TEST(EngineTest, CallsWhatItIsGiven) {
    Engine engine(kSmall);
    ASSERT_TRUE(engine.Set(engine.Global(), "double",
                           engine.MakeFunction("double", [&](auto arguments) -> Outcome<Value> {
                               if (arguments.empty())
                                   return tl::unexpected(Failure{"takes a text", {}, {}});
                               const auto text = engine.ToText(arguments[0]).value();
                               return engine.MakeText(text + text);
                           })));
    EXPECT_EQ(Eval(engine, "double('ab')").value(), "abab");
    EXPECT_EQ(Eval(engine, "try { double() } catch (e) { e.message }").value(), "takes a text");
    EXPECT_EQ(Eval(engine, "double()").error().message, "Error: takes a text");
}

}  // namespace
}  // namespace biwa::script
