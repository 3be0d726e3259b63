//! A survey among three respondents, two of which answer before the deadline.

use std::thread;
use std::time::Duration;

use scaproust::{Error, Respondent, Surveyor};

fn main() -> Result<(), Error> {
    let surveyor = Surveyor::new()?;
    surveyor.set_survey_deadline(Some(Duration::from_secs(1)))?;
    let address = surveyor.bind("tcp://127.0.0.1:0")?.address()?;
    let respondents = [Respondent::new()?, Respondent::new()?, Respondent::new()?];
    for respondent in &respondents {
        respondent.connect(&address)?;
    }
    // A respondent that is connected later does not get the survey.
    while surveyor.statistics()?.connections < 3 {
        thread::yield_now();
    }
    thread::scope(|scope| {
        for (number, respondent) in respondents.iter().enumerate() {
            scope.spawn(move || {
                let (_, reply) = respondent.accept()?;
                // A reply that is dropped is not sent.
                if number > 0 { reply.send(format!("respondent {number}")) } else { Ok(()) }
            });
        }
        let mut count = 0;
        for answer in surveyor.survey("who is there?")? {
            println!("{} is there", String::from_utf8_lossy(&answer?));
            count += 1;
        }
        assert_eq!(count, 2);
        Ok(())
    })
}
