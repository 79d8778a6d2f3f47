# accept(), recvfrom() and sendto() of a socket; see the .py. Compiled; nothing of it is for other modules to cimport.
