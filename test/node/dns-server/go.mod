module firebreak/dns-server

go 1.26
