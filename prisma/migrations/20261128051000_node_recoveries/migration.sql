-- A node that went away under a job counts as a dispatcher that did: the dispatcher that saw it writes it down.
grant update (recoveries) on job to darkroom_dispatcher;
