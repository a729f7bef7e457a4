// One project as an editor has it: its files with what is not saved, the tables that they make and
// name, and what is wrong with them. Used by one thread.
#pragma once

#include <chrono>
#include <filesystem>
#include <future>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "lsp/definition_file.h"
#include "lsp/diagnostics.h"
#include "lsp/project_tools.h"

namespace biwa::lsp {

struct KnownTable {
    TableName name;
    std::string type;  // "table", "view", … or "table of a stream"; empty: only in the warehouse
    std::string description;
    std::vector<ColumnFacts> columns;
    std::string file;  // empty: none
    Span span;         // in the file
};

// Where a table is named.
struct PlacedMention {
    std::string file;
    Span span;
};

class ProjectView {
  public:
    // The tools must outlive it.
    ProjectView(std::filesystem::path root, ProjectTools& tools);

    const std::filesystem::path& root() const { return root_; }

    // An editor has a text that counts in place of the file's. Cheap: on every key.
    void SetText(const std::string& file, std::string text);
    // The file's counts again.
    void ForgetText(const std::string& file);

    // Whether the folder is that of a project still.
    bool IsThere() const;
    // Something may have changed in the folder, too.
    void LookAtFiles() { is_folder_known_ = false; }
    // Compiles what is in the editor, after the folder was read if it may have changed. What is
    // wrong with each file; those that are good are absent.
    std::map<std::string, std::vector<FileProblem>> Check();

    // The text of a project file, and what a definition file says.
    std::optional<std::string> Text(const std::string& file) const;
    const DefinitionFacts* Facts(const std::string& file) const;

    std::optional<KnownTable> Find(const TableMention& mention) const;
    // Of a definition file: the first that it makes.
    std::optional<KnownTable> MadeBy(const std::string& file) const;
    std::vector<KnownTable> Tables() const;
    // Those with more than one table of that name need the dataset.
    bool IsAmbiguous(const std::string& name) const;
    std::vector<PlacedMention> MentionsOf(const TableName& table) const;

  private:
    struct Definition {
        std::string text;
        DefinitionFacts facts;
    };

    void ReadDefinitions();
    void Put(const std::string& file, std::string text);
    void Load();
    // The last good project, with the definitions that are in the editor by now.
    std::shared_ptr<const Project> ProjectNow() const;
    void AskForTables();
    void TakeTables() const;
    void Index() const;
    void Add(KnownTable table) const;

    const std::filesystem::path root_;
    ProjectTools& tools_;
    UnsavedTexts unsaved_;
    std::map<std::string, Definition> definitions_;
    bool is_folder_known_ = false;       // since it was read last, all changes came by the editor
    std::set<std::string> edited_;       // since then
    std::vector<FileProblem> problems_;  // of loading
    std::shared_ptr<const Project> project_;  // the last that was good
    transform::CompiledGraph graph_;
    std::chrono::steady_clock::time_point asked_at_{};
    mutable std::future<std::vector<TableFacts>> asked_;
    mutable std::vector<TableFacts> warehouse_;

    // Made of the above when it is asked for.
    mutable bool is_indexed_ = false;
    mutable std::map<TableName, KnownTable> tables_;
    mutable std::multimap<std::string, TableName> by_name_;
};

}  // namespace biwa::lsp
