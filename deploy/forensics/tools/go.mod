module firebreak/tools

go 1.26
