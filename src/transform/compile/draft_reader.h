// Reads a project's files of definitions into drafts: what they define, before any of it is named
// or made.
#pragma once

#include <memory>
#include <vector>

#include "transform/compile/compile.h"
#include "transform/compile/draft.h"

namespace biwa::transform {

// The input must outlive it, and it the drafts.
class DraftReader {
  public:
    explicit DraftReader(const CompileInput& input) : input_(input) {}

    // Files that cannot be read at all are left out, and are among the errors.
    std::vector<std::unique_ptr<Draft>> Read();

    const std::vector<FileProblem>& errors() const { return errors_; }
    // The project's JavaScript, where it has some.
    ScriptSession* session() { return session_.get(); }

  private:
    void ReadFile(const DefinitionFile& file);
    Parsed<void> ReadSqlx(Draft& draft);
    void ReadActions(const DefinitionFile& file);
    bool ReadSql(const std::string& path, Draft& draft);
    void TakeMadeActions(const Draft& running);
    void ReadMadeConfigs();
    ScriptSession& StartedSession();
    void Report(const Draft& draft);

    const CompileInput& input_;
    std::vector<std::unique_ptr<Draft>> drafts_;
    std::vector<FileProblem> errors_;
    std::unique_ptr<ScriptSession> session_;
    std::size_t taken_ = 0;  // of the actions that JavaScript has made
};

}  // namespace biwa::transform
