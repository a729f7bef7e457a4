// The JavaScript in a .sqlx file: the parts that are more than expression.h understands, made into
// one function that the engine compiles, each part at its place in the file.
//
//     (require) => ({ config: () => ({ … }),
//                     values: ({ self, ref, … }) => { js blocks; return [() => placeholder, …]; }
//                     })
#pragma once

#include <array>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "project/project.h"
#include "transform/compile/script_session.h"
#include "transform/compile/sqlx_lexer.h"

namespace biwa::transform {

// Whether an expression that was read holds something that only an engine can evaluate.
bool NeedsEngine(const Expression& expression);

class ScriptedSqlx {
  public:
    struct Parts {
        std::optional<SourceText> config;
        std::vector<SourceText> js;            // blocks; in force for all placeholders
        std::vector<SourceText> placeholders;  // that need the engine
    };
    // What of a file needs an engine; empty parts mean that nothing does.
    static Parts Find(const SqlxFile& sqlx);

    // The session must outlive this.
    static Parsed<ScriptedSqlx> Compile(ScriptSession& session, const DefinitionFile& file,
                                        const Parts& parts);

    bool has_config() const { return config_.IsFunction(); }
    Parsed<Expression> ReadConfig();

    // A js block is there, or a placeholder that begins at `offset`.
    bool Holds(std::size_t offset) const { return indexes_.contains(offset); }
    // What stands in the SQL in place of the placeholder.
    Parsed<std::string> Evaluate(std::size_t offset, bool incremental, Renderer& renderer);

    // The js blocks run anew when a placeholder is next evaluated: they may have asked for names,
    // which another renderer gives otherwise.
    void Forget() { evaluators_ = {}; }

  private:
    ScriptedSqlx(ScriptSession& session, std::string file) : session_(&session), file_(file) {}

    ScriptSession* session_;
    std::string file_;
    SourceText config_source_;
    std::size_t js_offset_ = 0;
    script::Value config_;
    script::Value values_;
    std::map<std::size_t, std::uint32_t> indexes_;  // of placeholders, by offset
    // Functions of the placeholders, once the js blocks have run; or why they could not.
    std::array<std::optional<Parsed<script::Value>>, 2> evaluators_;  // full and incremental
};

}  // namespace biwa::transform
