//! A member was told another order than the others: it is not let in, it hears that, and the others go on.

use super::FAILURE;
use ftq_core::replica::Order;
use ftq_core::time::Span;
use ftq_tests::clients::Load;
use ftq_tests::world::Setup;

#[test]
fn who_was_told_another_order_is_not_let_in() {
    for odd in 1..=3 {
        let mut world = Setup::cluster(3).build();
        world.agree(Span::secs(1));
        world.load(0, Load::writes(2));
        world.crash(odd);
        world.set_order(odd, Order::Fixed);
        world.run_for(FAILURE.times(2));
        world.start(odd);
        world.run_for(Span::secs(3));
        assert!(world.is_disordered(odd), "{odd} is told");
        for other in (1..=3).filter(|other| *other != odd) {
            assert_eq!(world.view(other).1.len(), 2, "{odd} stays outside");
            assert!(!world.is_disordered(other), "two are more than one");
        }
        let before = world.answered();
        world.run_for(Span::secs(1));
        assert!(world.answered() > before + 100, "the others go on");
    }
}
