dist_man_MANS += man/superd.8
# Manual page of the line client.
dist_man_MANS += man/tcpcli.1
