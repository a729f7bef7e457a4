// The names that SQL may mean: the project's own actions, and tables from elsewhere.
#pragma once

#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "model/table.h"
#include "transform/compile/config.h"

namespace biwa::transform {

class TableNames {
  public:
    // `tables` are there besides the actions; in a dataset of `stream_datasets` any table may be
    // named, as a stream will bring it.
    TableNames(const std::set<TableName>& tables, const std::set<std::string>& stream_datasets);

    // Of an action that makes no table only its name is known: it can be waited for, not read.
    void AddAction(const TableName& target, bool makes_table);
    // A table that the project says is there.
    void AddDeclaration(const TableName& target);

    // For reading.
    Parsed<TableName> FindTable(const TableReference& reference) const;
    // For waiting: any action, too.
    Parsed<TableName> FindDependency(const TableReference& reference) const;

  private:
    Parsed<TableName> Find(const TableReference& reference) const;

    std::map<TableName, bool> actions_;  // -> makes a table
    std::set<TableName> tables_;
    const std::set<std::string>& stream_datasets_;
};

}  // namespace biwa::transform
