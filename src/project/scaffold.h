// New projects: what `biwa init` and `biwa up URL` write.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "base/result.h"
#include "model/table.h"

namespace biwa {

struct NewFile {
    std::string path;  // relative, "/" between
    std::string text;
    mode_t mode = 0644;
    bool may_exist = false;  // is left as it is where it is there already
};

// Writes all files or, when one cannot be written, takes back those that were. Nothing is ever
// overwritten: a file that is there already is an error that names it.
Status WriteProject(const std::filesystem::path& root, const std::vector<NewFile>& files);

// A project without sources. `name`: any text, made into a plain name.
std::vector<NewFile> InitFiles(const std::string& name);

struct ScaffoldTable {
    std::string schema;
    std::string name;
    std::string target;  // its name in the warehouse
    TableSchema columns;
    std::int64_t rows_estimate = 0;
};

struct ScaffoldDatabase {
    std::string kind = "postgres";
    std::string host;
    int port = 5432;
    std::string database;
    std::string user;
    std::string password;                     // goes to secrets/, and nowhere else; may be empty
    std::map<std::string, std::string> more;  // other settings of the connection: sslmode
    std::vector<ScaffoldTable> tables;
};

// A project for a database: connection, stream, a staging model a table and a first
// dashboard.
std::vector<NewFile> FilesForDatabase(const ScaffoldDatabase& database);

}  // namespace biwa
